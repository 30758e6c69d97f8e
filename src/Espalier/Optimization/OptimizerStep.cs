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
        return optimizer.Step(parameters, parameter => parameter.Value.Grad is not null, parameter => parameter, state, gradientScale, rates);
    }

    /// <summary>The same where ranks share it: each updates its own parts, and all count alike.</summary>
    /// <param name="optimizer">The update rule.</param>
    /// <param name="parameters">Parameters.</param>
    /// <param name="trained">Whether one has a gradient, on whatever rank.</param>
    /// <param name="own">This rank's part of one, with its gradient; null for none.</param>
    /// <param name="state">What this rank remembers of them.</param>
    /// <param name="gradientScale">What every gradient is multiplied by on the way: clipping, and one over the targets.</param>
    /// <param name="rates">Of this update.</param>
    /// <returns>What the update rule's matrix products cost, on all ranks.</returns>
    internal static FlopsCount Step(
        this IOptimizer optimizer, IEnumerable<Parameter> parameters, Func<Parameter, bool> trained, Func<Parameter, Parameter?> own, OptimizerState state,
        double gradientScale, LearningRates rates)
    {
        using var noGrad = new NoGrad();
        FlopsCount cost = default;
        foreach (Parameter parameter in parameters)
        {
            using var scope = new TensorScope();
            if (trained(parameter))
            {
                ParameterState remembered = state[parameter.Name];
                remembered.Steps++;
                cost += optimizer.UpdateCost(parameter.Spec);
                if (own(parameter) is Parameter part)
                {
                    optimizer.Update(part, remembered, gradientScale, ElementRates.Of(remembered, part, rates));
                }
            }
        }

        return cost;
    }
}
