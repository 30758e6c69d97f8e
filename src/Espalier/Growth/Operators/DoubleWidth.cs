using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Twice the hidden size, heads and feed-forward width: the grown model is two copies of the old one side by side, whose
/// scores add up (Staged Training, arXiv 2203.06211). Weights lie in diagonal blocks, so that neither copy sees
/// the other; embeddings stand twice, and the last norm is halved, so that the scores are as before. Gradients are then half
/// of what they were, but for that norm's own and those of what does not grow. Off the diagonal they are half as well, though
/// the weights are 0: what the optimizer remembers begins at 0 there, as in the paper.
/// </summary>
public sealed record DoubleWidth : GrowthOperator
{
    private const int Times = 2;

    /// <inheritdoc/>
    public override ModelConfig Grow(ModelConfig model) =>
        model.WithWidth(Times * model.HiddenSize, Times * model.Heads, Times * model.FfnSize);

    /// <inheritdoc/>
    public override Promise Promise(ModelConfig model) => new(Kept.Exactly, Dynamics: Moments == MomentPolicy.Map);

    /// <inheritdoc/>
    public override string ToString() => $"double-width, moments {ConfigKeys.Kebab(Moments)}";

    /// <inheritdoc/>
    protected override AxisMap Units(AxisKind kind, ModelConfig model) =>
        AxisMap.Rounds(model.UnitsOf(kind), Times * model.UnitsOf(kind));

    /// <inheritdoc/>
    protected override double Factor(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) =>
        parameter.IsReadByHead ? 1.0 / Times : IsOnDiagonal(parameter, first, second) ? 1 : 0;

    /// <inheritdoc/>
    protected override double GradientFactor(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) =>
        parameter.IsReadByHead || !parameter.Axes.Any(Grows) ? 1 : IsOnDiagonal(parameter, first, second) ? 1.0 / Times : 0;

    /// <summary>Whether a weight stays within one copy: so does what joins units to no others.</summary>
    private static bool IsOnDiagonal(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) =>
        !parameter.Axes.All(Grows) || parameter.Axes.Count == 1 || first.Copy == second.Copy;

    private static bool Grows(Axis axis) => axis.Kind is AxisKind.Hidden or AxisKind.Heads or AxisKind.Ffn;
}
