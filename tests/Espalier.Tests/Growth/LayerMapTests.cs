using Espalier.Growth;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Growth;

public class LayerMapTests
{
    /// <summary>(stored, executed), both at least 1.</summary>
    private static Arbitrary<(int Stored, int Executed)> Sizes { get; } =
        (from stored in Gen.Choose(1, 200)
         from more in Gen.Choose(0, 400)
         select (stored, stored + more)).ToArbitrary();

    [Theory]
    [InlineData(3, 6, "0,0,1,1,2,2")]
    [InlineData(3, 8, "0,0,0,1,1,1,2,2")]
    [InlineData(6, 8, "0,0,1,2,3,3,4,5")]
    [InlineData(6, 9, "0,0,1,2,2,3,4,4,5")]
    [InlineData(1, 4, "0,0,0,0")]
    public void InterpolatesAsPrinted(int stored, int executed, string expected) =>
        Assert.Equal(expected, string.Join(',', LayerMap.Build(LayerMapKind.Interpolate, stored, executed)));

    [Theory]
    [InlineData(3, 6, "0,1,2,0,1,2")]
    [InlineData(3, 8, "0,1,2,0,1,2,1,2")]
    [InlineData(6, 8, "0,1,2,3,4,5,4,5")]
    [InlineData(6, 9, "0,1,2,3,4,5,3,4,5")]
    [InlineData(1, 4, "0,0,0,0")]
    public void StacksAsPrinted(int stored, int executed, string expected) =>
        Assert.Equal(expected, string.Join(',', LayerMap.Build(LayerMapKind.Stack, stored, executed)));

    /// <summary>The first size at which doubles, as in the authors' code, round a whole number down.</summary>
    [Fact]
    public void InterpolatesInWholeNumbers() => Assert.Equal(7, LayerMap.Interpolate(14, 18)[9]);

    [Fact]
    public void AnInterpolationIsMonotoneOntoAndEven() => Check.QuickThrowOnFailure(Prop.ForAll(Sizes, sizes =>
    {
        (int stored, int executed) = sizes;
        int[] map = LayerMap.Interpolate(stored, executed);
        Assert.Equal(executed, map.Length);
        Assert.Equal((0, stored - 1), (map[0], map[^1]));
        Assert.All(map.Zip(map.Skip(1)), pair => Assert.InRange(pair.Second - pair.First, 0, 1));
        int[] uses = Uses(map, stored);
        Assert.InRange(uses.Max() - uses.Min(), 0, 1);
    }));

    [Fact]
    public void AStackIsRoundsInOrderAndEndsAtTheTop() => Check.QuickThrowOnFailure(Prop.ForAll(Sizes, sizes =>
    {
        (int stored, int executed) = sizes;
        int[] map = LayerMap.Stack(stored, executed);
        Assert.Equal(executed, map.Length);
        Assert.Equal((0, stored - 1), (map[0], map[^1]));
        for (int i = 1; i < executed; i++)
        {
            // The next layer, or a new round, which begins after the last layer only.
            Assert.True(map[i] == map[i - 1] + 1 || map[i - 1] == stored - 1, $"{stored} as {executed}, at {i}");
        }

        int[] uses = Uses(map, stored);
        Assert.InRange(uses.Max() - uses.Min(), 0, 1);
        Assert.Equal(executed / stored, uses.Min());
    }));

    [Fact]
    public void AsManyLayersAsStoredAreThoseLayers() => Check.QuickThrowOnFailure(Prop.ForAll(
        Gen.Choose(1, 500).ToArbitrary(), layers =>
        {
            Assert.Equal(Enumerable.Range(0, layers), LayerMap.Interpolate(layers, layers));
            Assert.Equal(Enumerable.Range(0, layers), LayerMap.Stack(layers, layers));
        }));

    [Theory]
    [InlineData(4, 8, "0,0,1,1,2,2,3,3")]
    [InlineData(6, 8, "0,1,2,2,3,4,5,5")]
    [InlineData(6, 9, "0,1,1,2,3,3,4,5,5")]
    [InlineData(5, 7, "0,1,2,2,3,4,4")]
    [InlineData(2, 5, "0,0,1,1,1")]
    public void SpreadsAsPrinted(int stored, int executed, string expected) =>
        Assert.Equal(expected, string.Join(',', LayerMap.Spread(stored, executed)));

    [Theory]
    [InlineData(3, 6, "0,1,2,0,1,2")]
    [InlineData(6, 9, "0,1,2,0,1,2,3,4,5")]
    [InlineData(9, 12, "0,1,2,3,4,5,3,4,5,6,7,8")]
    [InlineData(6, 8, "0,1,2,3,2,3,4,5")]
    [InlineData(7, 10, "0,1,2,0,1,2,3,4,5,6")]
    [InlineData(5, 9, "0,1,2,3,0,1,2,3,4")]
    public void DoublesTheMiddleBlockAsPrinted(int stored, int executed, string expected) =>
        Assert.Equal(expected, string.Join(',', LayerMap.MiddleBlock(stored, executed)));

    [Theory]
    [InlineData(4, 6, "0,1,1,2,2,3")]
    [InlineData(8, 12, "0,1,2,3,2,3,4,5,4,5,6,7")]
    [InlineData(6, 9, "0,1,2,2,3,4,3,4,5")]
    [InlineData(9, 12, "0,1,2,3,4,5,3,4,5,6,7,8")]
    public void DoublesTheMiddleLayersAsPrinted(int stored, int executed, string expected) =>
        Assert.Equal(expected, string.Join(',', LayerMap.MiddleLayers(stored, executed)));

    [Theory]
    [InlineData(4, 6, "0,1,2,1,2,3")]
    [InlineData(4, 8, "0,1,2,3,0,1,2,3")]
    [InlineData(4, 5, "0,1,2,2,3")]
    [InlineData(1, 1, "0")]
    public void OverlapsAsPrinted(int stored, int executed, string expected) =>
        Assert.Equal(expected, string.Join(',', LayerMap.Overlap(stored, executed)));

    /// <summary>As Python's round, which takes a half to the even number; where that names no layer, the highest.</summary>
    [Theory]
    [InlineData(22, 28, "0,1,2,2,3,4,5,6,6,7,8,9,9,10,11,12,13,13,14,15,16,16,17,18,19,20,20,21")]
    [InlineData(3, 6, "0,0,1,2,2,2")]
    [InlineData(2, 4, "0,0,1,1")]
    [InlineData(3, 8, "0,0,1,1,2,2,2,2")]
    public void TakesTheNearestAsTheReleasedCode(int stored, int executed, string expected) =>
        Assert.Equal(expected, string.Join(',', LayerMap.Nearest(stored, executed)));

    /// <summary>The formulas themselves, over n blocks of b layers.</summary>
    [Fact]
    public void BlocksAreAsTheFormulasSay() => Check.QuickThrowOnFailure(Prop.ForAll(
        Gen.Choose(1, 12).Two().ToArbitrary(), sizes =>
        {
            (int n, int b) = sizes;
            int[][] blocks = [.. Enumerable.Range(0, n * b).Chunk(b)];
            int middle = ((n + 1) / 2) - 1;
            Assert.Equal(
                blocks[..(middle + 1)].Append(blocks[middle]).Concat(blocks[(middle + 1)..]).SelectMany(layer => layer),
                LayerMap.MiddleBlock(n * b, (n + 1) * b));
            if (n % 2 == 0)
            {
                int[] between = [.. blocks[middle][^(b / 2)..], .. blocks[middle + 1][..(b - (b / 2))]];
                Assert.Equal(
                    blocks[..(middle + 1)].Append(between).Concat(blocks[(middle + 1)..]).SelectMany(layer => layer),
                    LayerMap.MiddleLayers(n * b, (n + 1) * b));
            }

            int left = Math.Min(n, b);
            IEnumerable<int> one = Enumerable.Range(0, n + b);
            Assert.Equal(one.SkipLast(left).Concat(one.Skip(left)), LayerMap.Overlap(n + b, 2 * (n + b - left)));
        }));

    /// <summary>Whatever is copied, every layer is there, and after one comes at most the next.</summary>
    [Fact]
    public void EveryMapKeepsEveryLayerAndSkipsNone() => Check.QuickThrowOnFailure(Prop.ForAll(Sizes, sizes =>
    {
        (int stored, int executed) = sizes;
        AreWhole(LayerMap.Spread(stored, executed), executed);
        AreWhole(LayerMap.Nearest(stored, executed), executed);
        Assert.Equal(LayerMap.Spread(stored, executed).Order(), LayerMap.Spread(stored, executed));
        int atMostTwice = stored + ((executed - stored) % (stored + 1));
        AreWhole(LayerMap.MiddleBlock(stored, atMostTwice), atMostTwice);
        AreWhole(LayerMap.MiddleLayers(stored, atMostTwice), atMostTwice);
        AreWhole(LayerMap.Overlap(stored, atMostTwice), atMostTwice);

        void AreWhole(int[] map, int count)
        {
            Assert.Equal(count, map.Length);
            Assert.Equal((0, stored - 1), (map[0], map[^1]));
            Assert.All(map.Zip(map.Skip(1)), pair => Assert.True(pair.Second <= pair.First + 1));
            Assert.InRange(Uses(map, stored).Min(), 1, count);
        }
    }));

    [Fact]
    public void WhatMakesTwoOfALayerMakesNoMore()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => LayerMap.MiddleBlock(3, 7));
        Assert.Throws<ArgumentOutOfRangeException>(() => LayerMap.MiddleLayers(3, 7));
        Assert.Throws<ArgumentOutOfRangeException>(() => LayerMap.Overlap(3, 7));
        Assert.Throws<ArgumentOutOfRangeException>(() => LayerMap.Spread(3, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => LayerMap.Nearest(3, 2));
    }

    [Theory]
    [InlineData(LayerMapKind.Interpolate)]
    [InlineData(LayerMapKind.Stack)]
    public void RefusesToShrinkAndToStartFromNothing(LayerMapKind kind)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => LayerMap.Build(kind, 4, 3));
        Assert.Throws<ArgumentOutOfRangeException>(() => LayerMap.Build(kind, 0, 3));
    }

    private static int[] Uses(int[] map, int stored) =>
        [.. Enumerable.Range(0, stored).Select(layer => map.Count(used => used == layer))];
}
