using Espalier.Configuration;
using Espalier.Growth;

namespace Espalier.Tests.Growth;

public class MethodDefaultsTests
{
    [Theory]
    [InlineData(MethodKind.Apollo, 12, "1 3 6 12", "5 % 10 % 25 %")]
    [InlineData(MethodKind.Progressive, 12, "1 3 6 12", "5 % 10 % 25 %")]
    [InlineData(MethodKind.StackBert, 12, "3 6 12", "10 % 25 %")]
    [InlineData(MethodKind.Scratch, 12, "12", "")]
    [InlineData(MethodKind.Apollo, 24, "1 6 12 24", "5 % 10 % 25 %")]
    [InlineData(MethodKind.Apollo, 6, "1 3 6", "10 % 25 %")]
    [InlineData(MethodKind.Apollo, 2, "1 2", "25 %")]
    [InlineData(MethodKind.Apollo, 1, "1", "")]
    [InlineData(MethodKind.StackBert, 2, "1 2", "25 %")]
    public void StagesScaleWithTheModel(MethodKind name, int layers, string stages, string boundaries)
    {
        MethodConfig method = MethodDefaults.Resolve(new MethodConfig { Name = name }, layers);
        Assert.Equal(stages, string.Join(' ', method.Stages));
        Assert.Equal(boundaries, string.Join(' ', method.Boundaries));
    }

    [Fact]
    public void StagesAreRightForEveryModel()
    {
        foreach (MethodKind name in Enum.GetValues<MethodKind>())
        {
            for (int layers = 1; layers <= 200; layers++)
            {
                MethodConfig method = MethodDefaults.Resolve(new MethodConfig { Name = name }, layers);
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
        static MethodConfig Of(MethodKind name) => MethodDefaults.Resolve(new MethodConfig { Name = name }, 12);
        Assert.Equal(DepthSamplerKind.Lvps, Of(MethodKind.Apollo).Sampler);
        Assert.Equal(DepthSamplerKind.None, Of(MethodKind.Progressive).Sampler);
        Assert.Equal(LayerMapKind.Stack, Of(MethodKind.StackBert).GrowthMap);
        Assert.Equal(MomentPolicy.Reset, Of(MethodKind.StackBert).Moments);
        Assert.Equal(MomentPolicy.Keep, Of(MethodKind.Progressive).Moments);
    }

    [Fact]
    public void WhatTheRecipeSaysStays()
    {
        var method = new MethodConfig
        {
            Name = MethodKind.Apollo,
            Stages = [2, 12],
            Boundaries = [Duration.Steps(7)],
            Sampler = DepthSamplerKind.Full,
            SharingMap = LayerMapChoice.Stack,
            GrowthMap = LayerMapKind.Stack,
            Moments = MomentPolicy.Map,
        };
        Assert.Equal(method, MethodDefaults.Resolve(method, 12));
    }
}
