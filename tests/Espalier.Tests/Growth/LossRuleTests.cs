using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;

namespace Espalier.Tests.Growth;

/// <summary>Growth that waits for the loss: what a curve must do for it, and how recipes say so.</summary>
public class LossRuleTests
{
    private const long Total = 1000;

    private static readonly ModelConfig Final = GrowthSample.Gpt2(4);

    /// <summary>A power law has one slope all along: it is never flatter than a threshold below it, nor steeper than one above.</summary>
    [Theory]
    [InlineData(0.08, -0.05)]
    [InlineData(0.03, -0.05)]
    public void APowerLawHasOneSlope(double exponent, double threshold)
    {
        var rule = new LossRule(LossRuleKind.Slope, threshold);
        (double, double)[] curve = [.. Enumerable.Range(1, 200).Select(step => ((double)step, Math.Pow(step, -exponent)))];
        Assert.All(Enumerable.Range(1, 200), count => Assert.False(rule.IsMet(curve[..count])));
    }

    /// <summary>L(S) = 2 + S^-a: its slope is -a / (1 + 2 S^a), which crosses a threshold at a place that can be solved for.</summary>
    [Theory]
    [InlineData(0.76, -0.05)]
    [InlineData(0.76, -0.02)]
    [InlineData(0.5, -0.04)]
    public void ItIsDueWhereTheSlopeCrossesTheThreshold(double exponent, double threshold)
    {
        double crossing = Math.Pow(((-exponent / threshold) - 1) / 2, 1 / exponent);
        var rule = new LossRule(LossRuleKind.Slope, threshold);
        (double, double)[] curve = [.. Enumerable.Range(1, 4000).Select(i => (i / 40.0, 2 + Math.Pow(i / 40.0, -exponent)))];
        int due = Enumerable.Range(1, curve.Length).First(count => rule.IsMet(curve[..count]));

        // The line is fitted to the last third: it is right for its middle.
        Assert.InRange(due / 40.0, crossing, crossing * 1.5);
    }

    /// <summary>A slope far from flat, in losses as noisy as those of small batches: none of a thousand looks fires by chance.</summary>
    [Theory]
    [InlineData(0.01, 0)]
    [InlineData(0.03, 0)]
    [InlineData(0.03, 1)]
    public void NoiseDoesNotMakeItFlat(double noise, int seed)
    {
        var random = new CounterRandom((ulong)seed, RandomPurpose.BatchOrder, 0);
        var rule = new LossRule(LossRuleKind.Slope, -0.0575);
        (double, double)[] curve =
        [
            .. Enumerable.Range(1, 1000).Select(step => ((double)step, 6 * Math.Pow(step, -0.15) * (1 + (noise * ((2 * random.NextDouble((uint)step)) - 1))))),
        ];
        Assert.All(Enumerable.Range(1, 1000), count => Assert.False(rule.IsMet(curve[..count])));
    }

    [Fact]
    public void ACurveThatIsFlatFromTheBeginningHasNotPassedItsSteepest() => Assert.False(
        new LossRule(LossRuleKind.Slope, -0.05).IsMet([.. Enumerable.Range(1, 100).Select(step => ((double)step, 5.0))]));

    [Theory]
    [InlineData(0.01, true)]
    [InlineData(0.001, false)]
    public void APlateauIsWhereTheLossFallsByLittle(double threshold, bool isMet)
    {
        // By half a per cent from the one half to the other.
        (double, double)[] curve = [.. Enumerable.Range(0, 60).Select(i => ((double)i, i < 35 ? 2.0 : 1.99))];
        var rule = new LossRule(LossRuleKind.Plateau, threshold);
        Assert.Equal(isMet, rule.IsMet(curve));
        Assert.False(rule.IsMet(curve[..49]));
    }

    [Fact]
    public void ARunGrowsWhereTheLossSaysSoOrAtTheLatestPoint()
    {
        var config = new StagedTrainingConfig
        {
            Stages = [new("n_layer=2"), new("n_layer=4")],
            Boundaries = [new GrowthTrigger(Duration.Percent(50), new LossRule(LossRuleKind.Slope, -0.05))],
            Schedule = ScheduleMove.Rewind(2),
            Rewarm = Duration.Steps(10),
        };
        IProgressiveMethod method = config.Create(new RunShape(Final, Total, 64, 1));
        Assert.Equal(2, method.InitialModel.Layers);
        (long bySlope, GrowthStep growth) = FirstGrowth(method, step => 2 + Math.Pow(step / 10.0, -0.76));
        Assert.InRange(bySlope, 100, 499);
        Assert.Equal(new GrowthStep(new IdentityLayers(4), bySlope / 2.0, new Rewarm(10)), growth);
        Assert.Equal(500, FirstGrowth(method, step => Math.Pow(step, -0.3)).Step);
    }

    private static (long Step, GrowthStep Growth) FirstGrowth(IProgressiveMethod method, Func<long, double> loss)
    {
        var position = new TrainingPosition { Losses = new LossCurve(5) };
        while (true)
        {
            if (method.Next(method.InitialModel, position) is { } growth)
            {
                return (position.Step, growth);
            }

            long step = position.Step + 1;
            position = position with { Step = step, ScheduleStep = step, Losses = position.Losses.Add(loss(step), step, step) };
        }
    }

    [Theory]
    [InlineData("5 %", "5 %")]
    [InlineData(" 200 steps ", "200 steps")]
    [InlineData("slope -0.0575 or 50 %", "slope -0.0575 or 50 %")]
    [InlineData("plateau 2e-3 or 100 steps", "plateau 0.002 or 100 steps")]
    public void ATriggerReadsBack(string text, string written) => Assert.Equal(written, Boundary(text).ToString());

    [Theory]
    [InlineData("slope 0.1 or 5 %", "`slope 0.1 or 5 %` is never reached")]
    [InlineData("slope -0.05", "may never come, and the run would end with a smaller model — add the latest point: `slope -0.05 or 50 %`")]
    [InlineData("slope steep or 5 %", "`steep` is not a number")]
    [InlineData("slope -0.05 or later", "`later` is not a point of the run")]
    [InlineData("plateau 7 or 5 %", "is no share that the loss falls by")]
    [InlineData("soon", "`soon` is not a point of the run")]
    public void ATriggerThatCannotFireIsToldSo(string text, string says) => Assert.Contains(
        says, Assert.Throws<UserErrorException>(() => Boundary(text)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("continue", 100)]
    [InlineData("restart", 0)]
    [InlineData("peak", 25)]
    [InlineData("rewind 1.6", 62.5)]
    [InlineData("to 3 %", 30)]
    public void TheScheduleGoesBack(string text, double position)
    {
        ScheduleMove move = Method($"schedule: {text}").Schedule!;
        Assert.Equal(text, move.ToString());
        Assert.Equal(position, move.From(100, new RunShape(Final, Total, 64, 1) { WarmupSteps = 25 }), 12);
    }

    [Theory]
    [InlineData("schedule: rewind 0.5", "would not go back")]
    [InlineData("schedule: backwards", "says nothing about the schedule")]
    [InlineData("rewarm: 5 steps from x", "`x` is no share of the learning rate")]
    [InlineData("rewarm: 5", "`5` is no rise of the learning rate: its unit is missing")]
    public void WhatIsNoMoveIsToldSo(string line, string says) => Assert.Contains(
        says, Assert.Throws<UserErrorException>(() => Method(line)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("5 steps", 0, 1, RewarmScope.All)]
    [InlineData("5 steps from 0.5", 0.5, 1, RewarmScope.All)]
    [InlineData("5 steps from 1 to 1.3 of new", 1, 1.3, RewarmScope.New)]
    public void ARewarmReadsBack(string text, double from, double to, RewarmScope scope)
    {
        RewarmChoice rewarm = Method($"rewarm: {text}").Rewarm!;
        Assert.Equal(new RewarmChoice(Duration.Steps(5), from, to, scope), rewarm);
        Assert.Equal(text, rewarm.ToString());
    }

    /// <summary>Wherever growth puts the schedule, it ends with the run.</summary>
    [Fact]
    public void AScheduleThatWentBackEndsWithTheRun()
    {
        var schedule = new LearningRate(
            new LearningRateConfig { Peak = 1, Schedule = LearningRateSchedule.Linear, Warmup = Duration.Steps(0) }, Total, 64);
        double position = 0;
        for (long step = 0; step < Total; step++)
        {
            position = schedule.Next(step == 400 ? position / 1.6 : position, step);
            Assert.True(step >= 400 || position == step + 1);
        }

        Assert.Equal(Total, position, 9);
    }

    private static GrowthTrigger Boundary(string text) => Method($"boundaries: [{text}]").Boundaries[0];

    private static StackBertConfig Method(string line) => (StackBertConfig)Espalier.Training.RecipeReader.Parse(
        $"""
        model: {"{model_type: gpt2, n_layer: 2, n_embd: 8, n_head: 2, n_positions: 8}"}
        data: {"{path: x}"}
        training: {"{length: 1000 steps, micro_batch: 1}"}
        learning_rate: {"{peak: 1e-3}"}
        method:
          name: stack-bert
          stages: [1, 2]
          {(line.StartsWith("boundaries", StringComparison.Ordinal) ? "" : "boundaries: [10 %]")}
          {line}
        """,
        "r.yaml").Method;
}
