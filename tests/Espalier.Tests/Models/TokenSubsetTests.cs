using Espalier.Models;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Models;

public class TokenSubsetTests
{
    [Fact]
    public void EverySequenceKeepsThatManyDistinctPositionsInOrder() => Check.QuickThrowOnFailure(Prop.ForAll(
        Sizes().ToArbitrary(),
        sizes =>
        {
            long[][] rows = [.. sizes.Tokens.Positions(sizes.Sequences, sizes.Length).Chunk(Math.Min(sizes.Tokens.Count, sizes.Length))];
            return rows.Length == sizes.Sequences && rows.All(row =>
                row.Length == Math.Min(sizes.Tokens.Count, sizes.Length)
                && row[0] >= 0 && row[^1] < sizes.Length
                && row.Zip(row.Skip(1)).All(pair => pair.First < pair.Second));
        }));

    [Fact]
    public void EqualSeedsChooseAlikeAndASequenceByItselfToo() => Check.QuickThrowOnFailure(Prop.ForAll(
        Sizes().ToArbitrary(),
        sizes =>
        {
            long[] all = sizes.Tokens.Positions(sizes.Sequences, sizes.Length);
            return all.SequenceEqual((sizes.Tokens with { }).Positions(sizes.Sequences, sizes.Length))
                && sizes.Tokens.Positions(1, sizes.Length).SequenceEqual(all[..(all.Length / sizes.Sequences)]);
        }));

    /// <summary>Chi-square over the 20 ways to keep 3 of 6: over seeds, and over the sequences of one batch.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void EverySubsetIsAsLikely(bool bySeed)
    {
        const int Draws = 4000, Kept = 3, Length = 6, Subsets = 20;
        IEnumerable<long[]> drawn = bySeed
            ? Enumerable.Range(0, Draws).Select(seed => new TokenSubset(Kept, (ulong)seed).Positions(1, Length))
            : new TokenSubset(Kept, 1).Positions(Draws, Length).Chunk(Kept);
        int[] counts = [.. drawn.CountBy(positions => string.Join(' ', positions)).Select(pair => pair.Value)];
        Assert.Equal(Subsets, counts.Length);
        const double Expected = (double)Draws / Subsets;

        // 19 degrees of freedom: above in one of a thousand.
        Assert.InRange(counts.Sum(count => (count - Expected) * (count - Expected) / Expected), 0, 43.8);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public void ALayerSeesSomething(int count) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new TokenSubset(count, 1).Positions(2, 5));

    private static Gen<(TokenSubset Tokens, int Sequences, int Length)> Sizes() =>
        from length in Gen.Choose(1, 40)
        from count in Gen.Choose(1, 45)
        from sequences in Gen.Choose(1, 5)
        from seed in Gen.Choose(0, int.MaxValue)
        select (new TokenSubset(count, (ulong)seed), sequences, length);
}
