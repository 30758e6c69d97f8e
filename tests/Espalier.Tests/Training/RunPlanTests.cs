using Espalier.Configuration;
using Espalier.Evaluation;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Training;

namespace Espalier.Tests.Training;

public class RunPlanTests
{
    private static readonly ModelConfig Model = TinyRun.Recipe.Model with { VocabularySize = 257 };

    [Fact]
    public void DurationsBecomeSteps()
    {
        Recipe recipe = TinyRun.Recipe with
        {
            // 3 sequences of 16 tokens, twice: 96 tokens a step.
            Training = TinyRun.Recipe.Training with { Length = Duration.Tokens(96 * 1000) },
            Method = TinyRun.Apollo with { Boundaries = [Duration.Percent(5), Duration.Tokens(96 * 333)] },
            Evaluation = new EvaluationConfig { Every = Duration.Percent(2.5) },
            Checkpoint = new CheckpointConfig { Every = Duration.Tokens(9600) },
            Logging = new LoggingConfig { Every = Duration.Steps(7) },
        };
        var plan = new RunPlan(recipe, Model);
        Assert.Equal(96, plan.TokensPerStep);
        Assert.Equal(1000, plan.TotalSteps);
        Assert.Equal((25L, 100L, 7L), (plan.EvaluateEvery, plan.CheckpointEvery, plan.LogEvery));
        Assert.Equal(1, plan.Method.InitialModel.Layers);
        Assert.Equal(
            [
                new GrowthRecord(50, "copy-layers 2 interpolate, moments keep"),
                new GrowthRecord(333, "copy-layers 4 interpolate, moments keep"),
            ],
            plan.Forecast(1000));
        Assert.Equal(
            [(0L, 0, 1), (50L, 0, 1), (51L, 1, 2), (333L, 1, 2), (334L, 2, 4), (1000L, 2, 4)],
            new[] { 0L, 50, 51, 333, 334, 1000 }.Select(step =>
                (step, plan.Forecast(step).Count, plan.Replay(At(step, plan.Forecast(step)))!.Layers)));
    }

    /// <summary>A record that the method would not have made is none of this run.</summary>
    [Fact]
    public void OnlyTheMethodsOwnGrowthsAreReplayed()
    {
        var plan = new RunPlan(TinyRun.Recipe, Model);
        IReadOnlyList<GrowthRecord> growths = plan.Forecast(TinyRun.Steps);
        Assert.Equal(2, growths.Count);
        Assert.Equal(4, plan.Replay(At(24, growths))!.Layers);
        Assert.Equal(2, plan.Replay(At(8, [growths[0]]))!.Layers);
        Assert.Null(plan.Replay(At(24, [growths[0] with { Step = 5 }, growths[1]])));
        Assert.Null(plan.Replay(At(24, [growths[0], growths[1] with { Operator = "copy-layers 4 stack, moments keep" }])));
        Assert.Null(plan.Replay(At(24, [growths[0], growths[1] with { Rewarm = new Rewarm(5) }])));
        Assert.Null(plan.Replay(At(24, [growths[1], growths[0]])));
        Assert.Null(plan.Replay(At(13, growths)));
        Assert.Null(plan.Replay(At(24, [growths[0] with { Step = 20 }, growths[1]])));
        Assert.Null(plan.Replay(At(24, [.. growths, growths[1]])));
    }

    /// <summary>
    /// It grows to 2 layers, or to 4 once many tokens or operations are past or the schedule has moved on, as soon as the loss is
    /// below 3.
    /// </summary>
    private sealed record GrowingByTokens : MethodConfig
    {
        public override string Name => "growing-by-tokens";

        public override IProgressiveMethod Create(RunShape run) => new Method(run.FinalModel);

        private sealed class Method(ModelConfig final) : IProgressiveMethod
        {
            public ModelConfig InitialModel => final with { Layers = 1 };

            public ForwardPlan Plan(ModelConfig model, TrainingPosition position, int microBatch) => EvaluationPlan(model, position);

            public ForwardPlan EvaluationPlan(ModelConfig model, TrainingPosition position) => ForwardPlan.Plain(model.Layers);

            public GrowthStep? Next(ModelConfig model, TrainingPosition position) =>
                model.Layers == 1 && position.Losses.Points.Any(point => point.Loss < 3)
                    ? new GrowthStep(new CopyLayers(IsEarly(position) ? 2 : 4, LayerMapKind.Stack)) : null;

            private static bool IsEarly(TrainingPosition position) =>
                position.Tokens < 1000 && position.Flops.Total < 1000 && position.ScheduleStep < 5;
        }
    }

    /// <summary>Tokens, operations, schedule and losses are those of the time of the growth.</summary>
    [Fact]
    public void AGrowthIsAskedForAgainAsItWasThen()
    {
        var plan = new RunPlan(TinyRun.Recipe with { Method = new GrowingByTokens() }, Model);
        var losses = new LossCurve(1) { Points = [new(5, 0, 4), new(6, 0, 2.9), new(7, 0, 5)] };
        var record = new GrowthRecord(6, "copy-layers 2 stack, moments map") { ScheduleStep = 4.5, Flops = new FlopsCount(900, 50, 25) };
        TrainingPosition now = At(24, [record]) with
        {
            Tokens = 24 * 96,
            ScheduleStep = 22.5,
            Flops = new FlopsCount(9000, 500, 250),
            Losses = losses,
        };
        Assert.Equal(2, plan.Replay(now)!.Layers);
        Assert.Null(plan.Replay(now with { Growths = [record with { ScheduleStep = 6 }] }));
        Assert.Null(plan.Replay(now with { Growths = [record with { Flops = new FlopsCount(900, 50, 75) }] }));
        Assert.Null(plan.Replay(now with { Growths = [now.Growths[0] with { Step = 5 }] }));
        Assert.Null(plan.Replay(now with { Growths = [now.Growths[0] with { Step = 20 }] }));
    }

    [Fact]
    public void AnIntervalIsAtLeastAStepAndSoIsARun()
    {
        Recipe recipe = TinyRun.Recipe with
        {
            Training = TinyRun.Recipe.Training with { Length = Duration.Tokens(1) },
            Evaluation = new EvaluationConfig { Every = Duration.Percent(0) },
            Checkpoint = new CheckpointConfig { Every = Duration.Percent(1) },
            Logging = new LoggingConfig { Every = Duration.Steps(0) },
        };
        var plan = new RunPlan(recipe, Model);
        Assert.Equal((1L, 1L, 1L, 1L), (plan.TotalSteps, plan.EvaluateEvery, plan.CheckpointEvery, plan.LogEvery));
    }

    [Theory]
    [InlineData("scratch", 1)]
    [InlineData("scratch", 50)]
    [InlineData("apollo", 3)]
    [InlineData("apollo", 2000)]
    [InlineData("apollo", 7001)]
    [InlineData("progressive", 10_000)]
    public void CostGrowsFromNothingToAll(string method, int steps)
    {
        var plan = new RunPlan(
            TinyRun.Recipe with
            {
                Training = TinyRun.Recipe.Training with { Length = Duration.Steps(steps) },
                Method = method switch
                {
                    "scratch" => new ScratchConfig(),
                    "apollo" => new ApolloConfig(),
                    _ => new ProgressiveConfig(),
                },
            },
            Model);
        Assert.Equal(0, plan.CostShare(0));
        Assert.Equal(1, plan.CostShare(steps), 1e-12);
        for (int step = 0; step < steps; step++)
        {
            Assert.True(plan.CostShare(step) < plan.CostShare(step + 1), $"step {step}");
        }

        if (method == "scratch")
        {
            Assert.Equal((double)(steps / 3) / steps, plan.CostShare(steps / 3), 1e-9);
        }
    }

    /// <summary>With one draw an update and few steps nothing is estimated.</summary>
    [Fact]
    public void TheCostOfAShortRunIsExact()
    {
        Recipe recipe = TinyRun.Recipe with { Method = TinyRun.Apollo with { Draw = DepthDraw.Update } };
        var plan = new RunPlan(recipe, Model);
        double[] costs = [.. Enumerable.Range(0, TinyRun.Steps).Select(step =>
        {
            ModelConfig stored = Model with { Layers = step < TinyRun.FirstGrowth ? 1 : step < TinyRun.SecondGrowth ? 2 : 4 };
            return 2.0 * 257 * 16 + plan.Method.Plan(stored, At(step, []), 1).Depth * ((2.0 * 12 * 16 * 16) + (4 * 16 * 16));
        })];
        for (int step = 0; step <= TinyRun.Steps; step++)
        {
            Assert.Equal(costs.Take(step).Sum() / costs.Sum(), plan.CostShare(step), 1e-12);
        }
    }

    private static TrainingPosition At(long step, IReadOnlyList<GrowthRecord> growths) => new() { Step = step, Growths = growths };
}
