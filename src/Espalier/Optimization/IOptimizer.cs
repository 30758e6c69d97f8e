using Espalier.Models;

namespace Espalier.Optimization;

/// <summary>An update rule, parameter by parameter. What it remembers lies in the state, so that it has none of its own.</summary>
public interface IOptimizer
{
    /// <summary>What it remembers of every element of a parameter: names, and how each changes when the gradient does.</summary>
    IReadOnlyDictionary<string, Follows> Slots(ParameterSpec parameter);

    /// <summary>The matrix products of one update of a parameter; arithmetic element by element does not count.</summary>
    FlopsCount UpdateCost(ParameterSpec parameter);

    /// <summary>
    /// Whether it updates every element by itself, whatever the others are, so that ranks may share out the elements of a parameter: each then
    /// updates a <see cref="Parameter.Part"/>. By default it does not, and sees whole parameters.
    /// </summary>
    bool IsElementwise(ParameterSpec parameter) => false;

    /// <summary>Updates a parameter and what is remembered of it, in place. Its count has moved on already.</summary>
    /// <param name="parameter">With its gradient.</param>
    /// <param name="state">What is remembered of it.</param>
    /// <param name="gradientScale">What the gradient is multiplied by on the way: clipping, and one over the targets.</param>
    /// <param name="rates">Of this update.</param>
    void Update(Parameter parameter, ParameterState state, double gradientScale, ElementRates rates);

    /// <summary>
    /// How large an update is, so that learning rates can carry over to other sizes (<see cref="Mup"/>): its largest singular value at a
    /// learning rate of 1, but for a factor that is the same at all sizes. Updates of one size element by element come to sqrt(in x out),
    /// as they agree in a few directions.
    /// </summary>
    /// <param name="parameter">The parameter.</param>
    /// <param name="fans">The size that is asked about; a vector has one input.</param>
    /// <param name="gradientNorm">The largest singular value of its gradient, but for such a factor.</param>
    double UpdateNorm(ParameterSpec parameter, Fans fans, double gradientNorm);
}
