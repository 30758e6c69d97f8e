using Espalier.Models;

namespace Espalier.Optimization;

/// <summary>
/// Muon (Jordan et al. 2024): the matrices of layers get orthogonalized updates, embeddings, head and vectors AdamW's. Queries,
/// keys and values are three matrices, whether an architecture stores them as one or not.
/// </summary>
/// <param name="config">Its constants.</param>
public sealed class Muon(MuonConfig config) : IOptimizer
{
    /// <summary>The slot that holds the running mean of a matrix's gradient.</summary>
    public const string Momentum = "momentum";

    private readonly OrthogonalUpdate _orthogonal = new(config);
    private readonly AdamW _adamW = new(config.OfTheRest);

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, Follows> Slots(ParameterSpec parameter) => RuleOf(parameter).Slots(parameter);

    /// <inheritdoc/>
    public FlopsCount UpdateCost(ParameterSpec parameter) => RuleOf(parameter).UpdateCost(parameter);

    /// <inheritdoc/>
    public bool IsElementwise(ParameterSpec parameter) => RuleOf(parameter).IsElementwise(parameter);

    /// <inheritdoc/>
    public void Update(Parameter parameter, ParameterState state, double gradientScale, ElementRates rates)
    {
        IOptimizer rule = RuleOf(parameter.Spec);
        double share = rule == _adamW ? config.AdamwRate : 1;
        rule.Update(parameter, state, gradientScale, rates with { Rate = rates.Rate * share });
    }

    /// <inheritdoc/>
    public double UpdateNorm(ParameterSpec parameter, Fans fans, double gradientNorm) =>
        RuleOf(parameter).UpdateNorm(parameter, fans, gradientNorm);

    private IOptimizer RuleOf(ParameterSpec parameter) =>
        parameter is { Layer: not null, Axes.Count: 2 } ? _orthogonal : _adamW;
}
