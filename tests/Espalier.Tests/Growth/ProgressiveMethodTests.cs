using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Models;

namespace Espalier.Tests.Growth;

public class ProgressiveMethodTests
{
    private const long Steps = 1000, TokensPerStep = 512;

    private static readonly ModelConfig Final = Sample.Model(12);

    [Fact]
    public void ApolloGrowsAsReleased()
    {
        ProgressiveMethod method = Make(new MethodConfig { Name = MethodKind.Apollo });
        Assert.Equal(Final with { Layers = 1 }, method.InitialModel);
        Assert.Equal(
            [
                new GrowthEvent(50, new DepthGrowth(3, LayerMapKind.Interpolate, MomentPolicy.Keep)),
                new GrowthEvent(100, new DepthGrowth(6, LayerMapKind.Interpolate, MomentPolicy.Keep)),
                new GrowthEvent(250, new DepthGrowth(12, LayerMapKind.Interpolate, MomentPolicy.Keep)),
            ],
            method.Growth);
    }

    [Fact]
    public void StackBertDoublesByStackingAndRestartsTheOptimizer()
    {
        ProgressiveMethod method = Make(new MethodConfig { Name = MethodKind.StackBert });
        Assert.Equal(3, method.InitialModel.Layers);
        Assert.Equal(
            [
                new DepthGrowth(6, LayerMapKind.Stack, MomentPolicy.Reset),
                new DepthGrowth(12, LayerMapKind.Stack, MomentPolicy.Reset),
            ],
            method.Growth.Select(growth => growth.Operator));
        Assert.Equal([0, 1, 2], method.Plan(method.InitialModel, 0, 0).Layers);
        Assert.Equal(
            [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2], method.EvaluationPlan(method.InitialModel).Layers);
    }

    [Fact]
    public void ScratchHasTheFinalModelThroughout()
    {
        ProgressiveMethod method = Make(new MethodConfig { Name = MethodKind.Scratch });
        Assert.Equal(Final, method.InitialModel);
        Assert.Empty(method.Growth);
        for (int step = 0; step < 1000; step++)
        {
            Assert.Equal(Enumerable.Range(0, 12), method.Plan(Final, step, step % 3).Layers);
            Assert.Equal(1, method.LearningRateFactor(step));
        }
    }

    [Fact]
    public void ProgressiveRunsItsStoredLayersAndNoMore()
    {
        ProgressiveMethod method = Make(new MethodConfig { Name = MethodKind.Progressive });
        ModelConfig stored = Final with { Layers = 3 };
        Assert.All(Enumerable.Range(0, 200), step => Assert.Equal([0, 1, 2], method.Plan(stored, step, 0).Layers));
        Assert.Equal(LayerMap.Interpolate(3, 12), method.EvaluationPlan(stored).Layers);
    }

    [Fact]
    public void BoundariesMayBeStepsTokensOrPerCent()
    {
        ProgressiveMethod method = Make(new MethodConfig
        {
            Name = MethodKind.Apollo,
            Stages = [2, 4, 8, 12],
            Boundaries = [Duration.Steps(7), Duration.Tokens(100 * TokensPerStep), Duration.Percent(12.5)],
            GrowthMap = LayerMapKind.Stack,
            Moments = MomentPolicy.Map,
        });
        Assert.Equal(2, method.InitialModel.Layers);
        Assert.Equal([7, 100, 125], method.Growth.Select(growth => growth.Step));
        Assert.Equal(
            [4, 8, 12],
            method.Growth.Select(growth => Assert.IsType<DepthGrowth>(growth.Operator)).Select(growth => growth.Layers));
        Assert.Equal(new DepthGrowth(8, LayerMapKind.Stack, MomentPolicy.Map), method.Growth[1].Operator);
    }

    [Fact]
    public void MicroBatchesDrawEachOrTogether()
    {
        ModelConfig stored = Final with { Layers = 3 };
        MethodConfig config = new() { Name = MethodKind.Apollo, Sampler = DepthSamplerKind.Uniform };
        ProgressiveMethod each = Make(config), together = Make(config with { Draw = DepthDraw.Update });
        int differing = 0;
        for (int step = 0; step < 200; step++)
        {
            int[] Depths(ProgressiveMethod method) =>
                [.. Enumerable.Range(0, 4).Select(microBatch => method.Plan(stored, step, microBatch).Depth)];

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
        ProgressiveMethod method = Make(new MethodConfig { Name = MethodKind.Apollo });
        int[] depths = [.. Enumerable.Range(0, 20_000).Select(step => method.Plan(Final with { Layers = 3 }, step, 0).Depth)];
        Assert.Equal(4.226, depths.Average(), 0.08);
        Assert.Equal(.6368, depths.Count(depth => depth == 3) / 20_000.0, 0.015);
        Assert.Equal(.0158, depths.Count(depth => depth == 12) / 20_000.0, 0.004);
    }

    [Fact]
    public void ADrawDependsOnSeedStepAndMicroBatchAlone()
    {
        ModelConfig stored = Final with { Layers = 3 };
        MethodConfig config = new() { Name = MethodKind.Apollo, Sampler = DepthSamplerKind.Uniform };
        ProgressiveMethod first = Make(config), other = Make(config, seed: 8);
        ProgressiveMethod longer = new(config, Final with { VocabularySize = 99 }, Steps * 7, TokensPerStep * 3, 7);

        // Asked backwards and twice: nothing is consumed.
        int[] forwards = [.. Enumerable.Range(0, 300).Select(step => first.Plan(stored, step, 1).Depth)];
        int[] backwards = [.. Enumerable.Range(0, 300).Reverse().Select(step => longer.Plan(stored, step, 1).Depth).Reverse()];
        Assert.Equal(forwards, backwards);
        Assert.NotEqual(forwards, Enumerable.Range(0, 300).Select(step => other.Plan(stored, step, 1).Depth));
        Assert.NotEqual(forwards, Enumerable.Range(0, 300).Select(step => first.Plan(stored, step, 0).Depth));
    }

    [Fact]
    public void APlanIsTheSharingMapOfTheDrawnDepth()
    {
        foreach ((LayerMapChoice choice, LayerMapKind kind) in new[]
        {
            (LayerMapChoice.Interpolate, LayerMapKind.Interpolate), (LayerMapChoice.Stack, LayerMapKind.Stack),
        })
        {
            ProgressiveMethod method = Make(new MethodConfig { Name = MethodKind.Apollo, SharingMap = choice });
            for (int stored = 1; stored <= 12; stored++)
            {
                ModelConfig model = Final with { Layers = stored };
                for (int step = 0; step < 50; step++)
                {
                    ForwardPlan plan = method.Plan(model, step, 0);
                    Assert.Equal(LayerMap.Build(kind, stored, plan.Depth), plan.Layers);
                }

                Assert.Equal(LayerMap.Build(kind, stored, 12), method.EvaluationPlan(model).Layers);
            }
        }
    }

    [Fact]
    public void AMapOfOnesOwnServesTheFullDepthAndIsThinnedBelow()
    {
        int[] custom = [0, 0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 2];
        ProgressiveMethod method = Make(new MethodConfig
        {
            Name = MethodKind.Apollo,
            Stages = [3, 12],
            Boundaries = [Duration.Percent(50)],
            Sampler = DepthSamplerKind.Uniform,
            SharingMap = LayerMapChoice.Of(custom),
        });
        ModelConfig stored = Final with { Layers = 3 };
        Assert.Equal(custom, method.EvaluationPlan(stored).Layers);
        ForwardPlan six = Enumerable.Range(0, 1000).Select(step => method.Plan(stored, step, 0)).First(plan => plan.Depth == 6);
        Assert.Equal([0, 0, 0, 1, 2, 2], six.Layers);

        // Once all layers are stored, there is nothing to share.
        Assert.Equal(Enumerable.Range(0, 12), method.EvaluationPlan(Final).Layers);
    }

    [Fact]
    public void TheLearningRateRisesAgainAfterEachGrowth()
    {
        MethodConfig config = new() { Name = MethodKind.Apollo, Rewarm = Duration.Steps(4) };
        ProgressiveMethod method = Make(config);
        Assert.Equal([1, 1, .25, .5, .75, 1, 1], Enumerable.Range(48, 7).Select(step => method.LearningRateFactor(step)));
        Assert.Equal([1, .25, .5, .75, 1], Enumerable.Range(249, 5).Select(step => method.LearningRateFactor(step)));
        Assert.Equal(1, method.LearningRateFactor(0));

        // Released Apollo does not.
        ProgressiveMethod released = Make(config with { Rewarm = Duration.Steps(0) });
        Assert.All(Enumerable.Range(0, 300), step => Assert.Equal(1, released.LearningRateFactor(step)));
    }

    private static ProgressiveMethod Make(MethodConfig config, ulong seed = 7) =>
        new(config, Final, Steps, TokensPerStep, seed);
}
