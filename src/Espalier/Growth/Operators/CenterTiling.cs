using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// The old weights in the middle of the larger matrices, wrapping around at their edges, and layers repeated evenly
/// (<see cref="LayerMap.Nearest"/>): how ModernBERT's large model began (arXiv 2412.13663, released code). Nothing is rescaled, so
/// that all sums grow; nothing is promised. The released code tiles queries, keys and values element by element, this head by
/// head: the same where the heads that are added are even in number.
/// </summary>
public sealed record CenterTiling : WidthOperator
{
    /// <summary>Starts with a new optimizer, as the source does.</summary>
    public CenterTiling() => Moments = MomentPolicy.Reset;

    /// <summary>`layers`: the layers to store from now on; null to leave them.</summary>
    public int? Count { get; init; }

    /// <inheritdoc/>
    protected override string Name => "center-tiling";

    /// <inheritdoc/>
    protected override IEnumerable<string> Settings => Count is int count ? [$"layers {count}"] : [];

    /// <inheritdoc/>
    public override ModelConfig Grow(ModelConfig model) => base.Grow(model) with { Layers = Count ?? model.Layers };

    /// <inheritdoc/>
    public override Promise Promise(ModelConfig model) => new(Kept.Not, Dynamics: false);

    /// <inheritdoc/>
    protected override LayerOrigin[] Layers(ModelConfig model) =>
        LayerOrigin.Copies(LayerMap.Nearest(model.Layers, Count ?? model.Layers));

    /// <summary>The old units are those in the middle; copies are counted from there upwards, and then those below.</summary>
    /// <inheritdoc/>
    protected override AxisMap Units(AxisKind kind, int before, int after)
    {
        int below = (after - before) / 2;
        IReadOnlyList<UnitOrigin> fromTheMiddle = AxisMap.Copies(
        [
            .. Enumerable.Range(0, after - below).Select(unit => unit % before),
            .. Enumerable.Range(-below, below).Select(unit => ((unit % before) + before) % before),
        ]).Units;
        return new AxisMap([.. fromTheMiddle.TakeLast(below), .. fromTheMiddle.SkipLast(below)]);
    }
}
