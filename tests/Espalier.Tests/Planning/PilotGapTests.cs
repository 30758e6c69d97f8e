using Espalier.Planning;
using Espalier.Training;

namespace Espalier.Tests.Planning;

public class PilotGapTests
{
    /// <summary>Rows of both runs at the same steps after the growth, five at a time.</summary>
    [Fact]
    public void GapsAreThoseOfMeansAfterTheGrowth()
    {
        MetricsRow[] plain = [.. Enumerable.Range(1, 20).Select(i => new MetricsRow { Step = i, TrainLoss = 2 })];
        MetricsRow[] grown = [.. plain.Select(row => row with { TrainLoss = row.Step <= 4 ? 9 : 2 + (1.0 / row.Step) })];
        (long Step, double Gap)[] gaps = PilotPlan.Gaps(plain, grown[..^1], hop: 4);
        Assert.Equal(Enumerable.Range(9, 11).Select(step => (long)step), gaps.Select(gap => gap.Step));
        Assert.Equal(Enumerable.Range(5, 5).Average(step => 1.0 / step) / 2, gaps[0].Gap, 1e-12);
        Assert.Empty(PilotPlan.Gaps(plain, grown, hop: 17));
    }
}
