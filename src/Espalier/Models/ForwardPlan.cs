namespace Espalier.Models;

/// <summary>What a forward pass executes: for every executed layer, in order, the stored layer that it uses.</summary>
/// <param name="Layers">Stored layers, from 0; a stored layer may run many times, its gradients then sum.</param>
public sealed record ForwardPlan(IReadOnlyList<int> Layers)
{
    /// <summary>The number of executed layers.</summary>
    public int Depth => Layers.Count;

    /// <summary>Every stored layer once, in order.</summary>
    public static ForwardPlan Plain(int layers) => new([.. Enumerable.Range(0, layers)]);
}
