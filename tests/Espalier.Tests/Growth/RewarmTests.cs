using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Optimization;

namespace Espalier.Tests.Growth;

public class RewarmTests
{
    // 2 everywhere but at step 0, which has 1: the schedule's own position matters.
    private static readonly LearningRate Schedule = new(
        new LearningRateConfig { Peak = 2, Schedule = LearningRateSchedule.Constant, Warmup = Duration.Steps(2) }, 100, 1);

    [Fact]
    public void TheLineRisesToItsEndAndStaysThere()
    {
        Assert.Equal([.25, .5, .75, 1, 1, 1], Enumerable.Range(0, 6).Select(since => new Rewarm(4).Factor(since)));
        Assert.Equal(
            [1.1, 1.2, 1.3, 1.3], Enumerable.Range(0, 4).Select(since => Math.Round(new Rewarm(3, From: 1, To: 1.3).Factor(since), 12)));
        Assert.Equal(1, new Rewarm(1).Factor(0));
    }

    [Fact]
    public void WithoutAGrowthTheScheduleAloneCounts()
    {
        Assert.Equal(new LearningRates(1, 1), new TrainingPosition { Step = 50 }.Rates(Schedule));
        Assert.Equal(new LearningRates(2, 2), new TrainingPosition { ScheduleStep = 50 }.Rates(Schedule));
        Assert.Equal(new LearningRates(2, 2), After(40, null).Rates(Schedule));
    }

    [Theory]
    [InlineData(40, 0.5)]
    [InlineData(41, 1)]
    [InlineData(43, 2)]
    [InlineData(90, 2)]
    public void ARewarmOfAllHoldsForAll(long step, double rate) =>
        Assert.Equal(new LearningRates(rate, rate), After(step, new Rewarm(4)).Rates(Schedule));

    [Theory]
    [InlineData(40, 0.5)]
    [InlineData(41, 1)]
    [InlineData(43, 2)]
    public void ARewarmOfWhatIsNewLeavesTheRestAlone(long step, double rate) =>
        Assert.Equal(new LearningRates(2, rate), After(step, new Rewarm(4, Scope: RewarmScope.New)).Rates(Schedule));

    [Fact]
    public void TheLastGrowthCounts()
    {
        var position = new TrainingPosition
        {
            Step = 44, ScheduleStep = 10, Growths = [new(40, "first", new Rewarm(100)), new(44, "second", new Rewarm(2))],
        };
        Assert.Equal(new LearningRates(1, 1), position.Rates(Schedule));
        Assert.Equal(
            new LearningRates(2, 2),
            (position with { Growths = [position.Growths[0], new(44, "second")] }).Rates(Schedule));
    }

    private static TrainingPosition After(long step, Rewarm? rewarm) =>
        new() { Step = step, ScheduleStep = step, Growths = [new GrowthRecord(40, "some growth", rewarm)] };
}
