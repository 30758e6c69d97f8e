namespace Espalier;

/// <summary>What a random number is for. Streams of different purposes never share numbers.</summary>
public enum RandomPurpose : uint
{
    /// <summary>Initial weights.</summary>
    Initialization = 1,

    /// <summary>The order of training sequences within an epoch.</summary>
    BatchOrder = 2,

    /// <summary>The executed depth of a micro-batch.</summary>
    Depth = 3,

    /// <summary>Dropout masks.</summary>
    Dropout = 4,

    /// <summary>Which documents are held out.</summary>
    DocumentSplit = 5,

    /// <summary>Sampling tokens when generating text.</summary>
    Generation = 6,

    /// <summary>Masking tokens for masked-language-model training.</summary>
    Masking = 7,

    /// <summary>The tokens that a layer sees.</summary>
    Tokens = 8,

    /// <summary>Which units a growth copies, what each copy takes over, and what noise tells copies apart.</summary>
    Growth = 9,
}

/// <summary>
/// A stateless random generator: Philox4x32-10 (Salmon et al. 2011). Every number is a function of a seed, a purpose
/// and a position such as (step, micro-batch, rank), so nothing random is ever saved: a resumed run draws what the
/// uninterrupted run would have drawn, and all ranks draw alike where the rank is left out.
/// </summary>
public readonly struct CounterRandom
{
    private const uint Multiplier0 = 0xD2511F53, Multiplier1 = 0xCD9E8D57;
    private const uint Weyl0 = 0x9E3779B9, Weyl1 = 0xBB67AE85;

    private readonly uint _key0, _key1, _position1, _position2, _position3;

    /// <summary>The stream of numbers for one purpose at one position.</summary>
    /// <param name="seed">The run's seed.</param>
    /// <param name="purpose">What the numbers are for.</param>
    /// <param name="step">The optimizer step, or the epoch.</param>
    /// <param name="microBatch">The micro-batch within the step.</param>
    /// <param name="rank">The process rank; leave 0 for what all ranks must draw alike.</param>
    public CounterRandom(ulong seed, RandomPurpose purpose, long step = 0, int microBatch = 0, int rank = 0)
    {
        // The seed fills the key; the purpose shares a counter word with the rank (at most 2^24 ranks).
        _key0 = (uint)seed;
        _key1 = (uint)(seed >> 32);
        _position1 = (uint)step;
        _position2 = (uint)microBatch ^ ((uint)(step >> 32) << 20);
        _position3 = ((uint)purpose << 24) | ((uint)rank & 0xFFFFFF);
    }

    /// <summary>
    /// A subset of the numbers below <paramref name="length"/>, in order, every one of that size as likely as any other:
    /// selection sampling (Knuth, algorithm 3.4.2 S).
    /// </summary>
    /// <param name="count">How many; at most <paramref name="length"/>.</param>
    /// <param name="length">Of how many.</param>
    internal int[] Subset(int count, int length)
    {
        var chosen = new List<int>(count);
        for (int number = 0; chosen.Count < count; number++)
        {
            if (NextBelow((ulong)(length - number), (uint)number) < (ulong)(count - chosen.Count))
            {
                chosen.Add(number);
            }
        }

        return [.. chosen];
    }

    /// <summary>Number <paramref name="index"/> of the stream, uniform over all 64-bit values.</summary>
    public ulong NextUInt64(uint index = 0)
    {
        Block(index, out uint a, out uint b, out _, out _);
        return ((ulong)a << 32) | b;
    }

    /// <summary>Number <paramref name="index"/> of the stream, uniform in [0, 1) with 53 bits.</summary>
    public double NextDouble(uint index = 0) => (NextUInt64(index) >> 11) * (1.0 / (1UL << 53));

    /// <summary>Number <paramref name="index"/> of the stream, uniform in [0, <paramref name="bound"/>).</summary>
    public ulong NextBelow(ulong bound, uint index = 0) => Math.BigMul(NextUInt64(index), bound, out _);

    /// <summary>Fills a buffer with normal numbers of mean 0 (Box and Muller 1958), the same on any number of threads.</summary>
    /// <param name="values">The buffer.</param>
    /// <param name="deviation">The standard deviation.</param>
    public void FillNormal(float[] values, double deviation) => FillNormal(values, deviation, 0);

    /// <summary>The same for a piece of a longer row of numbers.</summary>
    /// <param name="values">The piece.</param>
    /// <param name="deviation">The standard deviation.</param>
    /// <param name="begin">Where in the row it begins: a multiple of 4.</param>
    internal void FillNormal(float[] values, double deviation, long begin)
    {
        CounterRandom random = this;
        uint firstBlock = checked((uint)(begin / 4));
        Parallel.For(0, (values.Length + 3) / 4, block =>
        {
            random.Block(firstBlock + (uint)block, out uint a, out uint b, out uint c, out uint d);
            Span<float> four = values.AsSpan(block * 4, Math.Min(4, values.Length - (block * 4)));
            Span<double> pair = stackalloc double[4];
            (pair[0], pair[1]) = NormalPair(a, b);
            (pair[2], pair[3]) = NormalPair(c, d);
            for (int i = 0; i < four.Length; i++)
            {
                four[i] = (float)(pair[i] * deviation);
            }
        });

        static (double First, double Second) NormalPair(uint a, uint b)
        {
            double radius = Math.Sqrt(-2 * Math.Log((a + 1.0) / 4294967296.0));
            (double sine, double cosine) = Math.SinCos(2 * Math.PI * (b / 4294967296.0));
            return (radius * cosine, radius * sine);
        }
    }

    /// <summary>The four 32-bit words of block <paramref name="index"/>.</summary>
    internal void Block(uint index, out uint a, out uint b, out uint c, out uint d) =>
        Philox(index, _position1, _position2, _position3, _key0, _key1, out a, out b, out c, out d);

    /// <summary>Ten rounds of Philox4x32.</summary>
    internal static void Philox(
        uint c0, uint c1, uint c2, uint c3, uint k0, uint k1, out uint a, out uint b, out uint c, out uint d)
    {
        for (int round = 0; round < 10; round++)
        {
            ulong product0 = (ulong)Multiplier0 * c0;
            ulong product1 = (ulong)Multiplier1 * c2;
            (c0, c1, c2, c3) = (
                (uint)(product1 >> 32) ^ c1 ^ k0,
                (uint)product1,
                (uint)(product0 >> 32) ^ c3 ^ k1,
                (uint)product0);
            k0 += Weyl0;
            k1 += Weyl1;
        }

        (a, b, c, d) = (c0, c1, c2, c3);
    }
}
