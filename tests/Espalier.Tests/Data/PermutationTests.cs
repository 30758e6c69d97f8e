using Espalier.Data;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Data;

public class PermutationTests
{
    private static Permutation Of(long size, long epoch = 0) =>
        new(size, new CounterRandom(42, RandomPurpose.BatchOrder, epoch));

    private static long[] Order(long size, long epoch = 0)
    {
        Permutation permutation = Of(size, epoch);
        return [.. Enumerable.Range(0, (int)size).Select(i => permutation[i])];
    }

    [Fact]
    public void EverySizeIsAPermutation()
    {
        for (int size = 1; size <= 400; size++)
        {
            Assert.Equal(Enumerable.Range(0, size).Select(i => (long)i), Order(size).Order());
        }
    }

    [Fact]
    public void LargeSizesArePermutations() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(3), Prop.ForAll(Arb.From(Gen.Choose(50_000, 300_000)), size =>
            Order(size).Order().SequenceEqual(Enumerable.Range(0, size).Select(i => (long)i))));

    /// <summary>Beyond what can be listed: no two of many positions share an element, and all are in range.</summary>
    [Theory]
    [InlineData(1L << 32)]
    [InlineData((1L << 47) + 1)]
    [InlineData(1L << 48)]
    public void HugeSizesStayInRangeWithoutRepeating(long size)
    {
        Permutation permutation = Of(size);
        var seen = new HashSet<long>();
        for (long i = 0; i < 20_000; i++)
        {
            Assert.True(seen.Add(permutation[size - 1 - i]));
        }

        Assert.All(seen, element => Assert.InRange(element, 0, size - 1));
        Assert.InRange(seen.Average(), 0.48 * size, 0.52 * size);
    }

    [Fact]
    public void EpochsAndNeighboursAreUnrelated()
    {
        long[] first = Order(10_000), second = Order(10_000, epoch: 1);
        Assert.InRange(first.Zip(second).Count(pair => pair.First == pair.Second), 0, 10);
        Assert.InRange(first.Zip(first.Skip(1)).Count(pair => pair.Second == pair.First + 1), 0, 10);
        Assert.Throws<ArgumentOutOfRangeException>(() => Of(10)[10]);
        Assert.Throws<ArgumentOutOfRangeException>(() => Of(10)[-1]);
        Assert.Throws<ArgumentOutOfRangeException>(() => Of((1L << 48) + 1));
    }

    /// <summary>Every order of four is about equally frequent over the epochs.</summary>
    [Fact]
    public void OrdersAreEquallyLikely()
    {
        var counts = Enumerable.Range(0, 24_000).Select(epoch => string.Join("", Order(4, epoch))).CountBy(order => order);
        Assert.Equal(24, counts.Count());
        Assert.All(counts, count => Assert.InRange(count.Value, 850, 1150));
    }
}
