using Espalier.Planning;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Planning;

public class StageSearchTests
{
    /// <summary>Against every schedule that there is, on costs at random.</summary>
    [Fact]
    public void ItFindsTheCheapestOfAllSchedules() => Prop.ForAll(
        ArbMap.Default.ArbFor<int>(),
        seed =>
        {
            var random = new System.Random(seed);
            int sizes = random.Next(1, 4), losses = random.Next(1, 6), most = random.Next(1, 4);
            var costs = new double[sizes, losses + 1, losses];
            for (int size = 0; size < sizes; size++)
            {
                for (int from = 0; from <= losses; from++)
                {
                    for (int to = 0; to < losses; to++)
                    {
                        costs[size, from, to] = random.Next(10) == 0 ? double.PositiveInfinity : random.NextDouble();
                    }
                }
            }

            double Cost(int size, int from, int to) => costs[size, from + 1, to];
            (double cost, IReadOnlyList<Stage> stages) = StageSearch.Cheapest(sizes, losses, most, Cost);
            double expected = All(sizes, losses, most, Cost);
            Assert.Equal(expected, cost, 1e-12);
            if (double.IsFinite(cost))
            {
                Assert.Equal(cost, stages.Sum(stage => Cost(stage.Size, stage.From, stage.To)), 1e-12);
                Assert.Equal((sizes - 1, losses - 1), (stages[^1].Size, stages[^1].To));
                Assert.InRange(stages.Count, 1, most);
                Assert.All(stages.Zip(stages.Skip(1)), pair =>
                    Assert.True(pair.First.Size < pair.Second.Size && pair.First.To == pair.Second.From));
            }
        }).QuickCheckThrowOnFailure();

    /// <summary>The least of all, by trying each.</summary>
    private static double All(int sizes, int losses, int most, StageSearch.StageCost cost)
    {
        return From(-1, -1, 0);

        double From(int size, int loss, int count)
        {
            double least = double.PositiveInfinity;
            for (int next = size + 1; next < sizes && count < most; next++)
            {
                for (int to = loss + 1; to < losses; to++)
                {
                    double rest = next == sizes - 1 && to == losses - 1 ? 0 : From(next, to, count + 1);
                    least = Math.Min(least, cost(next, loss, to) + rest);
                }
            }

            return least;
        }
    }
}
