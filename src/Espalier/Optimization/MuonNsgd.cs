using Espalier.Models;

namespace Espalier.Optimization;

/// <summary>Muon for all matrices, and the gradient over its norm for vectors, at one learning rate (arXiv 2602.07145).</summary>
/// <param name="config">Its constants.</param>
public sealed class MuonNsgd(MuonNsgdConfig config) : IOptimizer
{
    private readonly OrthogonalUpdate _orthogonal = new(config);
    private readonly NormalizedUpdate _normalized = new(config);

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, Follows> Slots(ParameterSpec parameter) => RuleOf(parameter).Slots(parameter);

    /// <inheritdoc/>
    public FlopsCount UpdateCost(ParameterSpec parameter) => RuleOf(parameter).UpdateCost(parameter);

    /// <inheritdoc/>
    public bool IsElementwise(ParameterSpec parameter) => RuleOf(parameter).IsElementwise(parameter);

    /// <inheritdoc/>
    public void Update(Parameter parameter, ParameterState state, double gradientScale, ElementRates rates) =>
        RuleOf(parameter.Spec).Update(parameter, state, gradientScale, rates);

    /// <inheritdoc/>
    public double UpdateNorm(ParameterSpec parameter, Fans fans, double gradientNorm) =>
        RuleOf(parameter).UpdateNorm(parameter, fans, gradientNorm);

    private IOptimizer RuleOf(ParameterSpec parameter) => parameter.Axes.Count == 2 ? _orthogonal : _normalized;
}
