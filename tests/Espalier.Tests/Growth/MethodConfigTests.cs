using Espalier.Configuration;
using Espalier.Growth;

namespace Espalier.Tests.Growth;

/// <summary>What each method fills in by itself.</summary>
public class MethodConfigTests
{
    /// <summary>Every method that stores more layers by stages, as it is by itself.</summary>
    private static StagedDepthConfig[] Staged { get; } = [.. EveryMethod.All.OfType<StagedDepthConfig>()];

    [Theory]
    [InlineData("apollo", 12, "1 3 6 12", "5 % 10 % 25 %")]
    [InlineData("progressive", 12, "1 3 6 12", "5 % 10 % 25 %")]
    [InlineData("stack-bert", 12, "3 6 12", "10 % 25 %")]
    [InlineData("apollo", 24, "1 6 12 24", "5 % 10 % 25 %")]
    [InlineData("apollo", 6, "1 3 6", "10 % 25 %")]
    [InlineData("apollo", 2, "1 2", "25 %")]
    [InlineData("apollo", 1, "1", "")]
    [InlineData("stack-bert", 2, "1 2", "25 %")]
    [InlineData("midas", 12, "3 6 9 12", "10 % 30 % 60 %")]
    [InlineData("lidas", 24, "6 12 18 24", "10 % 30 % 60 %")]
    [InlineData("mslt", 12, "3 6 9 12", "25 % 50 % 75 %")]
    [InlineData("mslt", 3, "1 2 3", "25 % 75 %")]
    [InlineData("late-growth", 12, "1 12", "50 %")]
    [InlineData("late-growth", 1, "1", "")]
    [InlineData("g-stack", 12, "3 12", "10 %")]
    [InlineData("solar", 48, "32 48", "50 %")]
    [InlineData("llama-pro", 40, "32 40", "50 %")]
    [InlineData("repeat-layers", 12, "8 12", "75 %")]
    public void StagesScaleWithTheModel(string name, int layers, string stages, string boundaries)
    {
        var method = (StagedDepthConfig)Array.Find(Staged, method => method.Name == name)!.Resolve(GrowthSample.Gpt2(layers));
        Assert.Equal(stages, string.Join(' ', method.Stages));
        Assert.Equal(boundaries, string.Join(' ', method.Boundaries));
    }

    [Fact]
    public void StagesAreRightForEveryModel()
    {
        Assert.Equal(11, Staged.Length);
        foreach (StagedDepthConfig unresolved in Staged)
        {
            for (int layers = 1; layers <= 200; layers++)
            {
                var method = (StagedDepthConfig)unresolved.Resolve(GrowthSample.Gpt2(layers));
                Assert.Equal(layers, method.Stages[^1]);
                Assert.True(method.Stages[0] >= 1);
                Assert.Equal(method.Stages.Distinct().Order(), method.Stages);
                Assert.Equal(method.Stages.Length - 1, method.Boundaries.Length);
            }
        }
    }

    [Fact]
    public void MethodsDifferInSamplerMapsAndMoments()
    {
        Assert.Equal(DepthSamplerKind.Lvps, new ApolloConfig().Sampler);
        Assert.Equal(LayerMapKind.Interpolate, new ApolloConfig().CopiesBy);
        Assert.Equal((LayerMapKind.Stack, LayerMapChoice.Stack), (new StackBertConfig().CopiesBy, new StackBertConfig().SharesBy));
        Assert.Equal(MomentPolicy.Keep, Moments(new ApolloConfig()));
        Assert.Equal(MomentPolicy.Reset, Moments(new StackBertConfig()));
        Assert.Equal(MomentPolicy.Keep, Moments(new ProgressiveConfig()));

        static MomentPolicy? Moments(StagedDepthConfig method) => ((StagedDepthConfig)method.Resolve(GrowthSample.Gpt2(12))).Moments;
    }

    [Fact]
    public void ScratchHasNothingToFillIn() => Assert.Equal(new ScratchConfig(), new ScratchConfig().Resolve(GrowthSample.Gpt2(12)));

    [Fact]
    public void WhatTheRecipeSaysStays()
    {
        var method = new ApolloConfig
        {
            Stages = [2, 12],
            Boundaries = [Duration.Steps(7)],
            Sampler = DepthSamplerKind.Full,
            SharingMap = LayerMapChoice.Stack,
            GrowthMap = LayerMapKind.Stack,
            Moments = MomentPolicy.Map,
            Schedule = ScheduleMove.Restart,
            Rewarm = Duration.Steps(3),
        };
        Assert.Equal(method, method.Resolve(GrowthSample.Gpt2(12)));
    }
}
