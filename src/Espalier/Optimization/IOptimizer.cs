using Espalier.Models;

namespace Espalier.Optimization;

/// <summary>An update rule, parameter by parameter. What it remembers lies in the state, so that it has none of its own.</summary>
public interface IOptimizer
{
    /// <summary>What it remembers of every element of a parameter: names, and how each changes when the gradient does.</summary>
    IReadOnlyDictionary<string, Follows> Slots(ParameterSpec parameter);

    /// <summary>The matrix products of one update of a parameter; arithmetic element by element does not count.</summary>
    FlopsCount UpdateCost(ParameterSpec parameter);

    /// <summary>Updates a parameter and what is remembered of it, in place. Its count has moved on already.</summary>
    /// <param name="parameter">With its gradient.</param>
    /// <param name="state">What is remembered of it.</param>
    /// <param name="gradientScale">What the gradient is multiplied by on the way: clipping, and one over the targets.</param>
    /// <param name="rates">Of this update.</param>
    void Update(Parameter parameter, ParameterState state, double gradientScale, ElementRates rates);
}
