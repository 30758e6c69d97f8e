using Espalier.Models;

namespace Espalier.Optimization;

/// <summary>An update rule. What it remembers lies in the state, so that it has none of its own.</summary>
public interface IOptimizer
{
    /// <summary>What it remembers of a parameter before the first update.</summary>
    ParameterState Begin(Parameter parameter);

    /// <summary>Updates parameters and state in place. Parameters without a gradient stay as they are, their counts too.</summary>
    /// <param name="parameters">With their gradients.</param>
    /// <param name="state">What is remembered of them.</param>
    /// <param name="gradientScale">What every gradient is multiplied by on the way: clipping, and one over the targets.</param>
    /// <param name="rates">Of this update.</param>
    void Step(ParameterSet parameters, OptimizerState state, double gradientScale, LearningRates rates);
}
