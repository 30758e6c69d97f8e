namespace Espalier.Models;

/// <summary>What a forward pass executes.</summary>
/// <param name="Layers">The executed layers, in order; a stored layer may run many times, its gradients then sum.</param>
/// <param name="Length">Tokens of a sequence, a divisor of the context length; null for the context length.</param>
/// <param name="TrainsRest">Whether what lies outside of the layers trains: embeddings, final norm, head.</param>
/// <param name="RestMask">Which units count outside of the layers; null for all.</param>
public sealed record ForwardPlan(
    IReadOnlyList<LayerRun> Layers, int? Length = null, bool TrainsRest = true, WidthMask? RestMask = null)
{
    /// <summary>The number of executed layers.</summary>
    public int Depth => Layers.Count;

    /// <summary>The stored layer of each executed one.</summary>
    public IEnumerable<int> StoredLayers => Layers.Select(run => run.Stored);

    /// <summary>Every stored layer once, in order.</summary>
    public static ForwardPlan Plain(int layers) => Of(Enumerable.Range(0, layers));

    /// <summary>Stored layers as they are.</summary>
    /// <param name="stored">For each executed layer, the stored one that it uses.</param>
    public static ForwardPlan Of(IEnumerable<int> stored) => new([.. stored.Select(layer => new LayerRun(layer))]);
}
