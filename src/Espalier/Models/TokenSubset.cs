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
        var positions = new long[sequences * kept];
        for (int row = 0; row < sequences; row++)
        {
            // Selection sampling (Knuth, algorithm 3.4.2 S): every subset is as likely as any other, and comes sorted.
            var random = new CounterRandom(Seed, RandomPurpose.Tokens, row);
            int chosen = 0;
            for (int position = 0; chosen < kept; position++)
            {
                if (random.NextBelow((ulong)(length - position), (uint)position) < (ulong)(kept - chosen))
                {
                    positions[(row * kept) + chosen] = position;
                    chosen++;
                }
            }
        }

        return positions;
    }
}
