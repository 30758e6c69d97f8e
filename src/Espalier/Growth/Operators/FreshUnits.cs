using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// New units as those of a new model, beside the old ones: all weights that reach a new unit, or leave it, are fresh. It changes what the
/// model computes, unless a mask keeps the new units closed at first (MSG, arXiv 2305.02869).
/// </summary>
public sealed record FreshUnits : WidthOperator
{
    /// <inheritdoc/>
    protected override string Name => "fresh-units";

    /// <inheritdoc/>
    public override Promise Promise(ModelConfig model) => new(Kept.Not, Dynamics: false);

    /// <inheritdoc/>
    protected override AxisMap Units(AxisKind kind, int before, int after) => AxisMap.Rounds(before, after);

    /// <inheritdoc/>
    protected override double Factor(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) => IsOld(first, second) ? 1 : 0;

    /// <inheritdoc/>
    protected override double GradientFactor(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) => IsOld(first, second) ? 1 : 0;

    /// <inheritdoc/>
    protected override double FreshShare(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) => IsOld(first, second) ? 0 : 1;
}
