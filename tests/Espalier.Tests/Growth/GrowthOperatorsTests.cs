using Espalier.Growth;
using Espalier.Models;
using Espalier.Training;

namespace Espalier.Tests.Growth;

/// <summary>Holds every operator that has a name to what its entry says of it.</summary>
public class GrowthOperatorsTests
{
    public static TheoryData<string> Names => [.. GrowthOperators.All.Select(entry => entry.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void AnOperatorReachesADoublingOfWhatItGrowsAndNothingElse(string name)
    {
        OperatorEntry entry = GrowthOperators.Of(name);
        Assert.NotEqual(GrownSizes.None, entry.Grows);
        Assert.Matches(@"^[a-z0-9]+(-[a-z0-9]+)*$", entry.Name);
        foreach (ModelConfig model in new ModelConfig[] { GrowthSample.Gpt2(2), GrowthSample.Bert(2), GrowthSample.Llama(2) with { KeyValueHeads = null, HeadDim = null } })
        {
            ModelConfig to = entry.Doubled(model);
            Assert.Equal(to, entry.Reach(model, to).Grow(model));
            Assert.Equal(entry.Keeps(model), entry.Reach(model, to).Promise(model).Loss);
            Assert.Throws<UserErrorException>(() => entry.Reach(
                model, entry.Grows.HasFlag(GrownSizes.Depth) ? to with { HiddenSize = 10 * to.HiddenSize } : to with { Layers = 5 }));
        }
    }

    [Fact]
    public void SeveralGrowInTurnWhatTheyCan()
    {
        ModelConfig model = GrowthSample.Gpt2(2), to = model with { Layers = 5, HiddenSize = 32, Heads = 4 };
        Assert.Equal(
            new InTurn(new HyperCloning { Seed = 3 }.To(to), new IdentityLayers(5)),
            GrowthOperators.Of("hyper-cloning, identity-layers").Reach(model, to, new GrowthSettings { Seed = 3 }));
        Assert.Equal(new IdentityLayers(5), GrowthOperators.Of("hyper-cloning,identity-layers").Reach(model, model with { Layers = 5 }));
        Assert.Contains("'copy'", Assert.Throws<UserErrorException>(() => GrowthOperators.Of("net2net,copy")).Message, StringComparison.Ordinal);
        Assert.Contains(
            "n_layer=2, not 5", Assert.Throws<UserErrorException>(() => GrowthOperators.Of("net2net,aki").Reach(model, to)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void NamesAreDistinct() => Assert.Distinct(GrowthOperators.All.Select(entry => entry.Name));

    [Theory]
    [InlineData("n_layer=3", 3, 16, 2, null)]
    [InlineData(" n_layer = 3 , n_embd = 24 ", 3, 24, 3, null)]
    [InlineData("n_embd=24,n_head=4", 2, 24, 4, null)]
    [InlineData("n_embd=32,n_inner=70", 2, 32, 4, 70)]
    [InlineData("n_inner=70", 2, 16, 2, 70)]
    public void WhatIsNotNamedFollows(string sizes, int layers, int hidden, int heads, int? ffn) => Assert.Equal(
        GrowthSample.Gpt2(2) with { Layers = layers, HiddenSize = hidden, Heads = heads, FfnSize = ffn },
        GrowthTarget.Parse(sizes, GrowthSample.Gpt2(2)));

    [Fact]
    public void AFeedForwardWidthOfItsOwnKeepsItsRatio() => Assert.Equal(
        GrowthSample.Bert(2) with { HiddenSize = 24, Heads = 3, FfnSize = 30 },
        GrowthTarget.Parse("hidden_size=24", GrowthSample.Bert(2) with { FfnSize = 20 }));

    [Fact]
    public void OutsideOfARunNothingTrains()
    {
        var context = new TextGrowthContext(new DoubleWidth(), null, Compute.Cpu);
        Assert.Contains("--data", Assert.Throws<UserErrorException>(() => context.Batch(0)).Hint, StringComparison.Ordinal);
        using TrainingState state = GrowthSample.State(GrowthSample.Gpt2(1));
        Assert.Contains("only a run", Assert.Throws<UserErrorException>(() => context.Train(state, 1)).Message, StringComparison.Ordinal);
    }
}
