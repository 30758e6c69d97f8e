namespace Espalier.Tests;

public class CounterRandomTests
{
    /// <summary>The known-answer vectors published with Random123 for philox4x32-10.</summary>
    [Theory]
    [InlineData(0u, 0u, 0u, 0u, 0u, 0u, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu,
        0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [InlineData(0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xa4093822u, 0x299f31d0u,
        0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void MatchesThePublishedVectors(
        uint c0, uint c1, uint c2, uint c3, uint k0, uint k1, uint a, uint b, uint c, uint d)
    {
        CounterRandom.Philox(c0, c1, c2, c3, k0, k1, out uint w, out uint x, out uint y, out uint z);
        Assert.Equal((a, b, c, d), (w, x, y, z));
    }

    [Fact]
    public void PositionsAndPurposesDoNotShareNumbers()
    {
        var seen = new HashSet<ulong>();
        foreach (RandomPurpose purpose in Enum.GetValues<RandomPurpose>())
        {
            for (int step = 0; step < 5; step++)
            {
                for (int microBatch = 0; microBatch < 5; microBatch++)
                {
                    for (int rank = 0; rank < 3; rank++)
                    {
                        Assert.True(seen.Add(new CounterRandom(42, purpose, step, microBatch, rank).NextUInt64()));
                    }
                }
            }
        }
    }

    [Fact]
    public void NextBelowStaysBelowAndReachesEveryValue()
    {
        var random = new CounterRandom(7, RandomPurpose.Depth);
        var counts = new int[10];
        for (uint i = 0; i < 10_000; i++)
        {
            counts[random.NextBelow(10, i)]++;
        }

        Assert.All(counts, count => Assert.InRange(count, 850, 1150));
    }
}
