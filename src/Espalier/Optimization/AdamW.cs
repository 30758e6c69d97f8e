using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Optimization;

/// <summary>AdamW (Loshchilov and Hutter 2019). As in PyTorch, each parameter counts its own steps.</summary>
/// <param name="config">Its constants.</param>
public sealed class AdamW(AdamWConfig config) : IOptimizer
{
    /// <summary>The slot that holds the running mean of the gradient.</summary>
    public const string ExpAvg = "exp_avg";

    /// <summary>The slot that holds the running mean of the gradient's square.</summary>
    public const string ExpAvgSq = "exp_avg_sq";

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, Follows> Slots(ParameterSpec parameter) =>
        new Dictionary<string, Follows> { [ExpAvg] = Follows.Gradient, [ExpAvgSq] = Follows.Square };

    /// <inheritdoc/>
    public FlopsCount UpdateCost(ParameterSpec parameter) => default;

    /// <inheritdoc/>
    public bool IsElementwise(ParameterSpec parameter) => true;

    /// <inheritdoc/>
    public void Update(Parameter parameter, ParameterState state, double gradientScale, ElementRates rates)
    {
        (double rate, double decay, Tensor? factors) = rates.WithDecay(parameter.Value, config.DecayOf(parameter.Spec));
        Optimizers.AdamW(
            parameter.Value, parameter.Value.Grad!, state.Slots[ExpAvg].Value, state.Slots[ExpAvgSq].Value, gradientScale, rate,
            config.Beta1, config.Beta2, config.Epsilon, decay, state.Steps, factors);
    }

    /// <inheritdoc/>
    public double UpdateNorm(ParameterSpec parameter, Fans fans, double gradientNorm) => Math.Sqrt(fans.In * fans.Out);
}
