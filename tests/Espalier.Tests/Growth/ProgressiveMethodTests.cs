using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;

namespace Espalier.Tests.Growth;

public class ProgressiveMethodTests
{
    private const long Steps = 1000, TokensPerStep = 512;

    private static readonly ModelConfig Final = GrowthSample.Gpt2(12);

    [Fact]
    public void ApolloGrowsAsReleased()
    {
        IProgressiveMethod method = Make(new ApolloConfig());
        Assert.Equal(Final with { Layers = 1 }, method.InitialModel);
        Assert.Equal(
            [
                (50, new GrowthStep(new CopyLayers(3, LayerMapKind.Interpolate) { Moments = MomentPolicy.Keep })),
                (100, new GrowthStep(new CopyLayers(6, LayerMapKind.Interpolate) { Moments = MomentPolicy.Keep })),
                (250, new GrowthStep(new CopyLayers(12, LayerMapKind.Interpolate) { Moments = MomentPolicy.Keep })),
            ],
            Growths(method));
    }

    [Fact]
    public void StackBertDoublesByStackingAndRestartsTheOptimizer()
    {
        IProgressiveMethod method = Make(new StackBertConfig());
        Assert.Equal(3, method.InitialModel.Layers);
        Assert.Equal(
            [
                (100, new GrowthStep(new CopyLayers(6, LayerMapKind.Stack) { Moments = MomentPolicy.Reset })),
                (250, new GrowthStep(new CopyLayers(12, LayerMapKind.Stack) { Moments = MomentPolicy.Reset })),
            ],
            Growths(method));
        Assert.Equal([0, 1, 2], Plan(method, method.InitialModel, 0).StoredLayers);
        Assert.Equal(
            [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2], method.EvaluationPlan(method.InitialModel, new TrainingPosition()).StoredLayers);
    }

    [Fact]
    public void ScratchHasTheFinalModelThroughout()
    {
        IProgressiveMethod method = Make(new ScratchConfig());
        Assert.Equal(Final, method.InitialModel);
        Assert.Empty(Growths(method));
        for (int step = 0; step < 1000; step++)
        {
            Assert.Equal(Enumerable.Range(0, 12), Plan(method, Final, step, step % 3).StoredLayers);
        }

        Assert.Equal(Enumerable.Range(0, 12), method.EvaluationPlan(Final, new TrainingPosition()).StoredLayers);
    }

    [Fact]
    public void ProgressiveRunsItsStoredLayersAndNoMore()
    {
        IProgressiveMethod method = Make(new ProgressiveConfig());
        ModelConfig stored = Final with { Layers = 3 };
        Assert.All(Enumerable.Range(0, 200), step => Assert.Equal([0, 1, 2], Plan(method, stored, step).StoredLayers));
        Assert.Equal(LayerMap.Interpolate(3, 12), method.EvaluationPlan(stored, new TrainingPosition()).StoredLayers);
    }

    [Fact]
    public void BoundariesMayBeStepsTokensOrPerCent()
    {
        IProgressiveMethod method = Make(new ApolloConfig
        {
            Stages = [2, 4, 8, 12],
            Boundaries = [Duration.Steps(7), Duration.Tokens(100 * TokensPerStep), Duration.Percent(12.5)],
            GrowthMap = LayerMapKind.Stack,
            Moments = MomentPolicy.Map,
        });
        Assert.Equal(2, method.InitialModel.Layers);
        Assert.Equal(
            [
                (7, new GrowthStep(new CopyLayers(4, LayerMapKind.Stack))),
                (100, new GrowthStep(new CopyLayers(8, LayerMapKind.Stack))),
                (125, new GrowthStep(new CopyLayers(12, LayerMapKind.Stack))),
            ],
            Growths(method));
    }

    [Fact]
    public void MicroBatchesDrawEachOrTogether()
    {
        ModelConfig stored = Final with { Layers = 3 };
        ApolloConfig config = new() { Sampler = DepthSamplerKind.Uniform };
        IProgressiveMethod each = Make(config), together = Make(config with { Draw = DepthDraw.Update });
        int differing = 0;
        for (int step = 0; step < 200; step++)
        {
            int[] Depths(IProgressiveMethod method) =>
                [.. Enumerable.Range(0, 4).Select(microBatch => Plan(method, stored, step, microBatch).Depth)];

            Assert.Single(Depths(together).Distinct());
            Assert.Equal(Depths(each)[0], Depths(together)[0]);
            differing += Depths(each).Distinct().Count() > 1 ? 1 : 0;
        }

        // Four of ten depths coincide once in a thousand.
        Assert.InRange(differing, 190, 200);
    }

    [Fact]
    public void DrawsFollowTheSampler()
    {
        IProgressiveMethod method = Make(new ApolloConfig());
        int[] depths = [.. Enumerable.Range(0, 20_000).Select(step => Plan(method, Final with { Layers = 3 }, step).Depth)];
        Assert.Equal(4.226, depths.Average(), 0.08);
        Assert.Equal(.6368, depths.Count(depth => depth == 3) / 20_000.0, 0.015);
        Assert.Equal(.0158, depths.Count(depth => depth == 12) / 20_000.0, 0.004);
    }

    [Fact]
    public void ADrawDependsOnSeedStepAndMicroBatchAlone()
    {
        ModelConfig stored = Final with { Layers = 3 };
        ApolloConfig config = new() { Sampler = DepthSamplerKind.Uniform };
        IProgressiveMethod first = Make(config), other = Make(config, seed: 8);
        IProgressiveMethod longer = config.Create(new RunShape(Final with { VocabularySize = 99 }, Steps * 7, TokensPerStep * 3, 7));

        // Asked backwards and twice: nothing is consumed.
        int[] forwards = [.. Enumerable.Range(0, 300).Select(step => Plan(first, stored, step, 1).Depth)];
        int[] backwards = [.. Enumerable.Range(0, 300).Reverse().Select(step => Plan(longer, stored, step, 1).Depth).Reverse()];
        Assert.Equal(forwards, backwards);
        Assert.NotEqual(forwards, Enumerable.Range(0, 300).Select(step => Plan(other, stored, step, 1).Depth));
        Assert.NotEqual(forwards, Enumerable.Range(0, 300).Select(step => Plan(first, stored, step, 0).Depth));
    }

    [Fact]
    public void APlanIsTheSharingMapOfTheDrawnDepth()
    {
        foreach ((LayerMapChoice choice, LayerMapKind kind) in new[]
        {
            (LayerMapChoice.Interpolate, LayerMapKind.Interpolate), (LayerMapChoice.Stack, LayerMapKind.Stack),
        })
        {
            IProgressiveMethod method = Make(new ApolloConfig { SharingMap = choice });
            for (int stored = 1; stored <= 12; stored++)
            {
                ModelConfig model = Final with { Layers = stored };
                for (int step = 0; step < 50; step++)
                {
                    ForwardPlan plan = Plan(method, model, step);
                    Assert.Equal(LayerMap.Build(kind, stored, plan.Depth), plan.StoredLayers);
                }

                Assert.Equal(LayerMap.Build(kind, stored, 12), method.EvaluationPlan(model, new TrainingPosition()).StoredLayers);
            }
        }
    }

    [Fact]
    public void AMapOfOnesOwnServesTheFullDepthAndIsThinnedBelow()
    {
        int[] custom = [0, 0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 2];
        IProgressiveMethod method = Make(new ApolloConfig
        {
            Stages = [3, 12],
            Boundaries = [Duration.Percent(50)],
            Sampler = DepthSamplerKind.Uniform,
            SharingMap = LayerMapChoice.Of(custom),
        });
        ModelConfig stored = Final with { Layers = 3 };
        Assert.Equal(custom, method.EvaluationPlan(stored, new TrainingPosition()).StoredLayers);
        ForwardPlan six = Enumerable.Range(0, 1000).Select(step => Plan(method, stored, step)).First(plan => plan.Depth == 6);
        Assert.Equal([0, 0, 0, 1, 2, 2], six.StoredLayers);

        // Once all layers are stored, there is nothing to share.
        Assert.Equal(Enumerable.Range(0, 12), method.EvaluationPlan(Final, new TrainingPosition()).StoredLayers);
    }

    [Fact]
    public void TheLearningRateRisesAgainAfterEachGrowth()
    {
        var schedule = new LearningRate(
            new LearningRateConfig { Peak = 1, Schedule = LearningRateSchedule.Constant, Warmup = Duration.Steps(0) }, Steps, TokensPerStep);
        ApolloConfig config = new() { Rewarm = Duration.Steps(4) };
        LearningRates[] rates = [.. EveryMethod.Positions(Make(config), Steps).Select(at => at.Position.Rates(schedule))];
        Assert.Equal([1, 1, .25, .5, .75, 1, 1], Rates(48, 7));
        Assert.Equal([1, .25, .5, .75, 1], Rates(249, 5));
        Assert.Equal([1], Rates(0, 1));
        Assert.All(rates, rate => Assert.Equal(rate.Rate, rate.New));

        // Released Apollo does not.
        Assert.All(EveryMethod.Positions(Make(config with { Rewarm = Duration.Steps(0) }), Steps), at => Assert.Equal(1, at.Position.Rates(schedule).Rate));

        IEnumerable<double> Rates(int first, int count) => rates.Skip(first).Take(count).Select(rate => rate.Rate);
    }

    private static IProgressiveMethod Make(MethodConfig config, ulong seed = 7) =>
        config.Create(new RunShape(Final, Steps, TokensPerStep, seed));

    private static ForwardPlan Plan(IProgressiveMethod method, ModelConfig stored, long step, int microBatch = 0) =>
        method.Plan(stored, new TrainingPosition { Step = step }, microBatch);

    private static List<(long Step, GrowthStep Growth)> Growths(IProgressiveMethod method) => EveryMethod.Growths(method, Steps);
}
