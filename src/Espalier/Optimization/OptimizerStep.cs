using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Optimization;

/// <summary>One update of all parameters.</summary>
public static class OptimizerStep
{
    /// <summary>Updates parameters and state in place. Parameters without a gradient stay as they are, their counts too.</summary>
    /// <param name="optimizer">The update rule.</param>
    /// <param name="parameters">With their gradients.</param>
    /// <param name="state">What is remembered of them.</param>
    /// <param name="gradientScale">What every gradient is multiplied by on the way: clipping, and one over the targets.</param>
    /// <param name="rates">Of this update.</param>
    /// <returns>What the update rule's matrix products cost.</returns>
    public static FlopsCount Step(
        this IOptimizer optimizer, ParameterSet parameters, OptimizerState state, double gradientScale, LearningRates rates)
    {
        ArgumentNullException.ThrowIfNull(optimizer);
        using var noGrad = new NoGrad();
        FlopsCount cost = default;
        foreach (Parameter parameter in parameters)
        {
            using var scope = new TensorScope();
            if (parameter.Value.Grad is not null)
            {
                ParameterState own = state[parameter.Name];
                own.Steps++;
                optimizer.Update(parameter, own, gradientScale, ElementRates.Of(own, parameter.Value, rates));
                cost += optimizer.UpdateCost(parameter.Spec);
            }
        }

        return cost;
    }
}
