namespace Espalier.Growth;

/// <summary>Where a layer of a grown model comes from.</summary>
/// <param name="Source">The old layer that it is made from; null for a layer of the model's own initialisation.</param>
/// <param name="IsNew">Whether it is more than the old layer in its new place.</param>
public readonly record struct LayerOrigin(int? Source, bool IsNew)
{
    /// <summary>A layer that begins as those of a new model do.</summary>
    public static LayerOrigin Fresh { get; } = new(null, IsNew: true);

    /// <summary>Copies of old layers: the first of each is the old layer itself, the others are new.</summary>
    /// <param name="sources">For each layer, the old one.</param>
    public static LayerOrigin[] Copies(IEnumerable<int> sources)
    {
        var met = new HashSet<int>();
        return [.. sources.Select(source => new LayerOrigin(source, !met.Add(source)))];
    }
}
