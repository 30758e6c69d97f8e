using Espalier.Models;

namespace Espalier.Optimization;

/// <summary>The gradient over its norm. Nothing is remembered.</summary>
/// <param name="config">Says the weight decay.</param>
internal sealed class NormalizedUpdate(OptimizerConfig config) : IOptimizer
{
    /// <inheritdoc/>
    public IReadOnlyDictionary<string, Follows> Slots(ParameterSpec parameter) => new Dictionary<string, Follows>();

    /// <inheritdoc/>
    public FlopsCount UpdateCost(ParameterSpec parameter) => default;

    /// <inheritdoc/>
    public void Update(Parameter parameter, ParameterState state, double gradientScale, ElementRates rates) =>
        rates.Descend(parameter.Value, NewtonSchulz.WithNorm1(parameter.Value.Grad!), config.DecayOf(parameter.Spec));

    /// <inheritdoc/>
    public double UpdateNorm(ParameterSpec parameter, Fans fans, double gradientNorm) => 1;
}
