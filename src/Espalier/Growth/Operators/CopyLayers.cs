using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Stores more layers, each a copy of an old one chosen by a layer map (Apollo, section "expansion"; StackBERT with
/// <see cref="LayerMapKind.Stack"/>), or by a list: one's own, or one of <see cref="LayerMap"/>'s. What lies outside of the layers
/// stays as it is.
/// </summary>
/// <param name="Count">The layers to store from now on; no fewer than before. A list has as many.</param>
/// <param name="Map">Which old layer each new one copies.</param>
public sealed record CopyLayers(int Count, LayerMapChoice Map) : GrowthOperator
{
    /// <summary>Copies by a rule.</summary>
    /// <param name="count">The layers to store from now on; no fewer than before.</param>
    /// <param name="map">Which old layer each new one copies.</param>
    public CopyLayers(int count, LayerMapKind map)
        : this(count, LayerMapChoice.Of(map))
    {
    }

    /// <summary>Copies by a list. An old layer that it leaves out is gone.</summary>
    /// <param name="sources">For each layer to store, the old one that it copies, counted from 0.</param>
    public CopyLayers(IReadOnlyList<int> sources)
        : this(sources.Count, LayerMapChoice.Of(sources))
    {
    }

    /// <inheritdoc/>
    public override ModelConfig Grow(ModelConfig model) => model with { Layers = Count };

    /// <inheritdoc/>
    public override Promise Promise(ModelConfig model) => new(Kept.Not, Dynamics: false);

    /// <inheritdoc/>
    public override string ToString() =>
        $"copy-layers {Count} {Map}, moments {Configuration.ConfigKeys.Kebab(Moments)}";

    /// <inheritdoc/>
    /// <exception cref="ArgumentOutOfRangeException">The list names a layer that there is not, or is not as long as `Count`.</exception>
    protected override LayerOrigin[] Layers(ModelConfig model)
    {
        if (Map.Custom is { } list)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(list.Count, Count, nameof(Map));
            foreach (int source in list)
            {
                ArgumentOutOfRangeException.ThrowIfNegative(source, nameof(Map));
                ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(source, model.Layers, nameof(Map));
            }
        }

        return LayerOrigin.Copies(Map.Build(model.Layers, Count, Count));
    }

    /// <summary>
    /// By a rule: by index, whatever the layer is a copy of, the released code's `keep`. By a list an old layer takes its state
    /// along to its new place.
    /// </summary>
    protected override int? KeepsStateOf(int layer, IReadOnlyList<LayerOrigin> layers, ModelConfig model) =>
        Map.Custom is not null ? base.KeepsStateOf(layer, layers, model) : layer < model.Layers ? layer : null;
}
