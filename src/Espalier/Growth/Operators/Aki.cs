using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Copies of units in turn, as <see cref="Net2Net"/>, but a copy is computed by the weights and biases of the layer above, which
/// are near those of its own and tell it apart from its source (bert2BERT's advanced knowledge initialisation, arXiv 2110.07143,
/// section 3.3). What reads it takes its share, as if it were the same unit: so the model computes something else. The highest layer
/// has none above, and embeddings and head have no layer: they copy their own. So do norms, which compute no unit.
/// </summary>
/// <remarks>
/// What the optimizer remembers comes from where the weights come from; which gradients a copy will have, nothing tells.
/// </remarks>
public sealed record Aki : CloneWidth
{
    /// <inheritdoc/>
    protected override string Name => "aki";

    /// <inheritdoc/>
    public override Promise Promise(ModelConfig model) => new(Kept.Not, Dynamics: false);

    /// <inheritdoc/>
    protected override AxisMap Units(AxisKind kind, int before, int after) => new(
        [.. ShareAlike(AxisMap.Rounds(before, after)).Units.Select(unit => unit with { IsFromAbove = unit.Copy > 0 })]);
}
