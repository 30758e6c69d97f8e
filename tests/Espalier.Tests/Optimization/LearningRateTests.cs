using Espalier.Configuration;
using Espalier.Optimization;

namespace Espalier.Tests.Optimization;

public class LearningRateTests
{
    [Fact]
    public void TheWarmUpRisesInALineToThePeak()
    {
        LearningRate rate = Make(LearningRateSchedule.Cosine, Duration.Steps(4));
        Assert.Equal([0.5, 1, 1.5, 2], Enumerable.Range(0, 4).Select(step => Math.Round(rate.At(step), 12)));
        Assert.Equal(2, rate.At(4));
    }

    [Fact]
    public void CosineFallsAlongHalfAWave()
    {
        LearningRate rate = Make(LearningRateSchedule.Cosine, Duration.Steps(4), final: 0.1);
        for (int step = 4; step <= 104; step++)
        {
            Assert.Equal(0.2 + (1.8 * (1 + Math.Cos(Math.PI * (step - 4) / 100)) / 2), rate.At(step), 12);
        }

        Assert.Equal(1.1, rate.At(54), 12);
        Assert.Equal(0.2, rate.At(104), 12);
    }

    [Fact]
    public void LinearFallsInALine()
    {
        LearningRate rate = Make(LearningRateSchedule.Linear, Duration.Steps(4), final: 0.5);
        Assert.Equal(2, rate.At(4), 12);
        Assert.Equal(1.75, rate.At(29), 12);
        Assert.Equal(1.5, rate.At(54), 12);
        Assert.Equal(1, rate.At(104), 12);
    }

    [Fact]
    public void ConstantStaysWhateverItsEnd()
    {
        LearningRate rate = Make(LearningRateSchedule.Constant, Duration.Steps(4), final: 0.5);
        Assert.Equal(1, rate.At(1), 12);
        Assert.All(Enumerable.Range(4, 101), step => Assert.Equal(2, rate.At(step), 12));
    }

    /// <summary>A run of 104 steps: up for 4, then constant, and down over the last 20.</summary>
    [Theory]
    [InlineData(DecayForm.Linear, 0.25, 0.75)]
    [InlineData(DecayForm.Sqrt, 0.25, 0.5)]
    public void WsdIsConstantUntilItDecays(DecayForm form, double passed, double left)
    {
        var rate = new LearningRate(
            new LearningRateConfig
            {
                Peak = 2, Schedule = LearningRateSchedule.Wsd, Warmup = Duration.Steps(4), Decay = Duration.Steps(20), DecayForm = form, Final = 0.1,
            },
            104, 1);
        Assert.Equal(0.5, rate.At(0), 12);
        Assert.All(Enumerable.Range(4, 81), step => Assert.Equal(2, rate.At(step), 12));
        Assert.Equal(2 * (0.1 + (0.9 * left)), rate.At(84 + (20 * passed)), 12);
        Assert.Equal(0.2, rate.At(104), 12);
    }

    [Theory]
    [InlineData(LearningRateSchedule.Wsd)]
    [InlineData(LearningRateSchedule.Cosine)]
    [InlineData(LearningRateSchedule.Linear)]
    [InlineData(LearningRateSchedule.Constant)]
    public void WithoutWarmUpTheFirstStepHasThePeak(LearningRateSchedule schedule) =>
        Assert.Equal(2, Make(schedule, Duration.Steps(0)).At(0));

    [Fact]
    public void AWarmUpAsLongAsTheRunIsARiseThroughout()
    {
        LearningRate rate = Make(LearningRateSchedule.Cosine, Duration.Percent(100));
        Assert.Equal(2.0 / 104, rate.At(0), 12);
        Assert.Equal(2, rate.At(103), 12);
        Assert.True(double.IsFinite(rate.At(104)));
    }

    [Fact]
    public void TheWarmUpMayBeGivenInAnyUnit()
    {
        LearningRate steps = Make(LearningRateSchedule.Cosine, Duration.Steps(26));
        LearningRate percent = Make(LearningRateSchedule.Cosine, Duration.Percent(25));
        LearningRate tokens = Make(LearningRateSchedule.Cosine, Duration.Tokens(26 * 512));
        for (int step = 0; step <= 104; step++)
        {
            Assert.Equal((steps.At(step), steps.At(step)), (percent.At(step), tokens.At(step)));
        }
    }

    /// <summary>104 steps of 512 tokens with a peak of 2.</summary>
    private static LearningRate Make(LearningRateSchedule schedule, Duration warmup, double final = 0) => new(
        new LearningRateConfig { Peak = 2, Schedule = schedule, Warmup = warmup, Final = final }, 104, 512);
}
