using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Tests.Growth;

namespace Espalier.Tests.Models;

public class LlamaTests
{
    /// <summary>Counted from the shapes of the matrices: each costs two operations a number and token.</summary>
    [Fact]
    public void ALayerCostsItsMatricesAndItsAttention()
    {
        LlamaConfig model = GrowthSample.Llama(1) with { FfnSize = 10 };
        const int B = 3, T = 5;
        double numbers = model.Architecture.Parameters(model).Where(spec => spec.Layer == 0 && spec.Axes.Count == 2)
            .Sum(spec => (double)spec.Shape[0] * spec.Shape[1]);
        FlopsCount cost = model.Architecture.LayerCost(model, B, T);
        Assert.Equal(2 * numbers * B * T, cost.Layers);
        Assert.Equal(4.0 * B * T * T * model.Heads * model.HeadSize, cost.Attention);
        Assert.Equal(16 * ((2 * 24) + (2 * 12) + (3 * 10)), numbers);
    }

    /// <summary>Each query head stays with the key/value head that it had: the grown model computes the same.</summary>
    [Fact]
    public void HeadsOfKeysGrowWithTheirQueries()
    {
        LlamaConfig model = GrowthSample.Llama(1);
        var grown = (LlamaConfig)new Net2Net { HiddenSize = 24, Sources = UnitSources.Random, Seed = 3 }.Grow(model);
        Assert.Equal((6, 3, 6), (grown.Heads, grown.KeyValueHeads, grown.HeadSize));
        Assert.Contains(
            "num_key_value_heads",
            Assert.Throws<UserErrorException>(() => new Net2Net { HiddenSize = 20 }.Grow(model)).Message, StringComparison.Ordinal);
        Assert.Contains(
            "num_key_value_heads",
            Assert.Throws<UserErrorException>(() => ModelSizes.Parse(Text("num_attention_heads=3")).Apply(model)).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "num_key_value_heads",
            Assert.Throws<UserErrorException>(() => new Ligo { HiddenSize = 32 }.Grow(model)).Message, StringComparison.Ordinal);
    }

    /// <summary>Zeros beneath a product of two would never move: the new layers of identity-layers train all the same.</summary>
    [Fact]
    public void IdentityLayersGetGradientsThatReachTheirOutputs()
    {
        LlamaConfig model = GrowthSample.Llama(1);
        using TrainingState grown = new IdentityLayers(2).Apply(GrowthSample.State(model), GrowthSample.NoContext);
        ForwardPass.LossSum(grown.Model, GrowthSample.Batch(model), ForwardPlan.Plain(2)).Backward();
        foreach (string role in (string[])["self_attn.o_proj.weight", "mlp.down_proj.weight"])
        {
            Assert.Contains(Near.Values(grown.Model.Parameters[1, role].Grad!), value => value != 0);
        }

        Assert.False(new IdentityLayers(2).Promise(model).Dynamics);
    }

    [Theory]
    [InlineData("default", RopeType.Default)]
    [InlineData("linear 2.5", RopeType.Linear)]
    [InlineData("llama3 8 1 4 8192", RopeType.Llama3)]
    public void ScalingIsWrittenAsItIsRead(string text, RopeType type)
    {
        RopeScaling scaling = RopeScaling.Parse(Text(text));
        Assert.Equal((type, text), (scaling.Type, scaling.ToString()));
    }

    [Theory]
    [InlineData("yarn 4")]
    [InlineData("linear")]
    [InlineData("linear 0")]
    [InlineData("llama3 8 4 1 8192")]
    [InlineData("llama3 8 1 4 0.5")]
    public void OtherScalingIsRefused(string text) =>
        Assert.Contains("linear 4", Assert.Throws<BadValueException>(() => RopeScaling.Parse(Text(text))).Remedy, StringComparison.Ordinal);

    private static ConfigText Text(string text) => new(new ScalarNode(Place.CommandLine, text, true), RopeScaling.Expected);
}
