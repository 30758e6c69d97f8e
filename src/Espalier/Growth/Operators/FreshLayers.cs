using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>Where fresh layers come to stand.</summary>
public enum FreshPlace
{
    /// <summary>Above all others.</summary>
    Top,

    /// <summary>Below all others.</summary>
    Bottom,

    /// <summary>Spread evenly: the lowest layer stays the lowest, and of several the highest the highest.</summary>
    Between,
}

/// <summary>
/// Stores more layers that begin as those of a new model of that depth do. Nothing is promised: what the old layers made of the
/// input now goes through others that have learned nothing. A model without layers gets all of them so.
/// </summary>
/// <param name="Count">The layers to store from now on; no fewer than before.</param>
/// <param name="Place">Where the new ones stand.</param>
public sealed record FreshLayers(int Count, FreshPlace Place = FreshPlace.Top) : GrowthOperator
{
    /// <inheritdoc/>
    public override ModelConfig Grow(ModelConfig model) => model with { Layers = Count };

    /// <inheritdoc/>
    public override Promise Promise(ModelConfig model) => new(Kept.Not, Dynamics: false);

    /// <inheritdoc/>
    public override string ToString() =>
        $"fresh-layers {Count} {ConfigKeys.Kebab(Place)}, moments {ConfigKeys.Kebab(Moments)}";

    /// <inheritdoc/>
    protected override LayerOrigin[] Layers(ModelConfig model) => Origins(model.Layers, Count, Place);

    /// <summary>The layers of a model, and fresh ones.</summary>
    internal static LayerOrigin[] Origins(int before, int count, FreshPlace place)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, before);
        LayerOrigin[] layers = [.. Enumerable.Repeat(LayerOrigin.Fresh, count)];
        for (int layer = 0; layer < before; layer++)
        {
            int at = place switch
            {
                FreshPlace.Top => layer,
                FreshPlace.Bottom => layer + count - before,
                _ => before == 1 ? 0 : (int)((long)layer * (count - 1) / (before - 1)),
            };
            layers[at] = new LayerOrigin(layer, IsNew: false);
        }

        return layers;
    }
}
