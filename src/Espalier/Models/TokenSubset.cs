namespace Espalier.Models;

/// <summary>Tokens chosen at random in every sequence, in their order (Random-LTD, arXiv 2211.11586).</summary>
/// <param name="Count">K: how many of each sequence; of shorter sequences all.</param>
/// <param name="Seed">Chooses them: equal seeds choose alike.</param>
public sealed record TokenSubset(int Count, ulong Seed)
{
    /// <summary>The positions that are kept, sequence after sequence, in each in order: B x K.</summary>
    /// <param name="sequences">B.</param>
    /// <param name="length">T.</param>
    public long[] Positions(int sequences, int length)
    {
        int kept = Math.Min(Count, length);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(kept, nameof(Count));
        ulong seed = Seed;
        return
        [
            .. Enumerable.Range(0, sequences)
                .SelectMany(row => new CounterRandom(seed, RandomPurpose.Tokens, row).Subset(kept, length))
                .Select(position => (long)position),
        ];
    }
}
