namespace Espalier.Planning;

/// <summary>
/// How a model of any size would lie on many ranks, on paper: weights and gradients in two bytes, twelve of optimizer state, all of it
/// sharded over the ranks (ZeRO, arXiv 1910.02054), a layer gathered when it runs, activations recomputed layer by layer
/// (arXiv 2205.05198).
/// </summary>
/// <param name="Parameters">N.</param>
/// <param name="Layers">L.</param>
/// <param name="Hidden">h.</param>
/// <param name="Split">t: over how many ranks each layer is split besides.</param>
/// <param name="Ranks">R.</param>
/// <param name="BytesPerRank">What each rank holds.</param>
internal sealed record RankLayout(double Parameters, int Layers, int Hidden, int Split, long Ranks, double BytesPerRank)
{
    /// <summary>How ranks follow from memory.</summary>
    public const string Formula =
        "Ranks: bytes a rank = 16 N / R + [4 N / L + 2 s h L + 34 s h] / t: 2 N weights, 2 N gradients and 12 N optimizer state sharded over R "
        + "(arXiv 1910.02054); the layer that runs, gathered, with its gradients; one sequence's activations, recomputed from each layer's "
        + "input (arXiv 2205.05198); t ranks share a layer. R and t are the least powers of two that fit in the share of memory that is used.";

    private const int MostSplit = 8;

    // GPT-3's proportion; from 64 to 128 the loss hardly changes (Kaplan et al., arXiv 2001.08361, figure 5).
    private const double Aspect = 128;

    /// <summary>A model of a size that has no shape yet: N = 12 L h^2 with h = 128 L.</summary>
    /// <inheritdoc cref="Of"/>
    public static RankLayout? OfSize(double parameters, double memory, int sequence)
    {
        double layers = Math.Max(1, Math.Round(Math.Cbrt(parameters / (12 * Aspect * Aspect))));
        return Of(parameters, (int)layers, (int)Math.Round(Math.Sqrt(parameters / (12 * layers))), memory, sequence);
    }

    /// <summary>Lays a model out.</summary>
    /// <param name="parameters">N.</param>
    /// <param name="layers">L.</param>
    /// <param name="hidden">h.</param>
    /// <param name="memory">The bytes of a rank that may be used.</param>
    /// <param name="sequence">s: the tokens of a sequence.</param>
    /// <returns>The layout; null where even a layer split over eight ranks does not fit.</returns>
    public static RankLayout? Of(double parameters, int layers, int hidden, double memory, int sequence)
    {
        double running = (4 * parameters / layers) + (2.0 * sequence * hidden * layers) + (34.0 * sequence * hidden);
        for (int split = 1; split <= MostSplit; split *= 2)
        {
            double left = memory - (running / split);
            if (left <= 0)
            {
                continue;
            }

            // A split that leaves next to nothing would ask for ranks without end: half of the memory is for the shards.
            long ranks = split;
            while (16 * parameters / ranks > left)
            {
                ranks *= 2;
            }

            if (left >= memory / 2 || split == MostSplit)
            {
                return new RankLayout(parameters, layers, hidden, split, ranks, (16 * parameters / ranks) + (running / split));
            }
        }

        return null;
    }
}
