using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Stores more layers, each a copy of an old one chosen by a layer map (Apollo, section "expansion"; StackBERT with
/// <see cref="LayerMapKind.Stack"/>). What lies outside of the layers stays as it is.
/// </summary>
/// <param name="Count">The layers to store from now on; no fewer than before.</param>
/// <param name="Map">Which old layer each new one copies.</param>
public sealed record CopyLayers(int Count, LayerMapKind Map) : GrowthOperator
{
    /// <inheritdoc/>
    public override ModelConfig Grow(ModelConfig model) => model with { Layers = Count };

    /// <inheritdoc/>
    public override Promise Promise(ModelConfig model) => new(Kept.Not, Dynamics: false);

    /// <inheritdoc/>
    public override string ToString() =>
        $"copy-layers {Count} {ConfigKeys.Kebab(Map)}, moments {ConfigKeys.Kebab(Moments)}";

    /// <inheritdoc/>
    protected override LayerOrigin[] Layers(ModelConfig model) =>
        LayerOrigin.Copies(LayerMap.Build(Map, model.Layers, Count));

    /// <summary>By index, whatever the layer is a copy of: the released code's `keep`.</summary>
    protected override int? KeepsStateOf(int layer, IReadOnlyList<LayerOrigin> layers, ModelConfig model) =>
        layer < model.Layers ? layer : null;
}
