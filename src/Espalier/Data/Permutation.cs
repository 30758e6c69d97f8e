using System.Numerics;

namespace Espalier.Data;

/// <summary>
/// A random order of 0 .. n-1 that is computed, not stored: a Feistel network over the smallest even number of bits that
/// holds n, walked along its cycle until it lands below n (Black and Rogaway 2002, "Ciphers with arbitrary finite domains").
/// </summary>
/// <param name="size">n, at most 2^48.</param>
/// <param name="random">The stream that keys the network.</param>
internal readonly struct Permutation(long size, CounterRandom random)
{
    private const int Rounds = 6;
    private const int MostHalfBits = 24;

    private readonly int _halfBits = HalfBitsFor(size);

    /// <summary>The element at a position of the order.</summary>
    public long this[long position]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(position);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(position, size);
            ulong value = (ulong)position;
            do
            {
                value = Encrypt(value);
            }
            while (value >= (ulong)size);

            return (long)value;
        }
    }

    private static int HalfBitsFor(long size)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        int bits = 64 - BitOperations.LeadingZeroCount((ulong)(size - 1));
        int halfBits = Math.Max(1, (bits + 1) / 2);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(halfBits, MostHalfBits, nameof(size));
        return halfBits;
    }

    private ulong Encrypt(ulong value)
    {
        uint mask = (1u << _halfBits) - 1;
        uint left = (uint)(value >> _halfBits), right = (uint)value & mask;
        for (uint round = 0; round < Rounds; round++)
        {
            random.Block((round << MostHalfBits) | right, out uint word, out _, out _, out _);
            (left, right) = (right, left ^ (word & mask));
        }

        return ((ulong)left << _halfBits) | right;
    }
}
