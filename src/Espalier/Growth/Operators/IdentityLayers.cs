using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Stores more layers, each a copy of an old one that gives nothing as yet: the depth operator of Staged Training (arXiv
/// 2203.06211). Where norms come first, all vectors of a new layer are 0: the norms' weights and biases, so that the sublayers read
/// 0, and the biases of the linear layers, for what reads 0 gives its biases still. Then queries, keys and values are 0, and so is
/// what attention mixes of them; the feed-forward units are GELU(0), which is 0; and the layer is exactly the identity, while its
/// matrices are copies. Where norms come after, the output projections and their biases are 0 in place of that, and the
/// norms are copies. Such a layer is still no identity: it gives LN(LN(x)), which is x only if x is what those norms make of it, as
/// at initialisation. Where feed-forward units are products of two, as in a Llama, zeros beneath them would never have a gradient:
/// there too the output projections are 0, which is exact, and not what the paper claims the dynamics of.
/// </summary>
/// <param name="Count">The layers to store from now on; no fewer than before.</param>
/// <param name="Map">
/// Which old layer each new one copies: <see cref="LayerMapKind.Interpolate"/> puts copies above their sources (the paper's
/// alternation), <see cref="LayerMapKind.Stack"/> above all.
/// </param>
public sealed record IdentityLayers(int Count, LayerMapKind Map = LayerMapKind.Interpolate) : GrowthOperator
{
    /// <inheritdoc/>
    public override ModelConfig Grow(ModelConfig model) => model with { Layers = Count };

    /// <summary>The dynamics are the paper's claim, for norms that come first, units that are no products, and moments that follow the weights.</summary>
    /// <inheritdoc/>
    public override Promise Promise(ModelConfig model) => new(
        model.Architecture.NormsComeFirst ? Kept.Exactly : Kept.Approximately,
        Dynamics: VectorsAreZero(model) && Moments == MomentPolicy.Map);

    /// <inheritdoc/>
    public override string ToString() =>
        $"identity-layers {Count} {ConfigKeys.Kebab(Map)}, moments {ConfigKeys.Kebab(Moments)}";

    /// <inheritdoc/>
    protected override LayerOrigin[] Layers(ModelConfig model) =>
        LayerOrigin.Copies(LayerMap.Build(Map, model.Layers, Count));

    /// <inheritdoc/>
    protected override double NewLayerFactor(ParameterSpec parameter, ModelConfig model) =>
        (VectorsAreZero(model) ? parameter.Axes.Count == 1 : parameter.AddsToStream) ? 0 : 1;

    private static bool VectorsAreZero(ModelConfig model) =>
        model.Architecture is { NormsComeFirst: true, UnitsAreGated: false };
}
