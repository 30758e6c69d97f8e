using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Tests.Models;

/// <summary>The factors of the parametrization against the papers' tables. What they are for: <see cref="CoordinateCheckTests"/>.</summary>
public class MupTests
{
    private static readonly Gpt2Config Wide = new()
    {
        Layers = 8, HiddenSize = 64, Heads = 4, ContextLength = 16, VocabularySize = 50, TiedHead = false,
    };

    /// <summary>Tensor Programs V, table 3, of a model that is four times as wide as its base: m = 4.</summary>
    [Theory]
    [InlineData("transformer.wte.weight", 1, 1, 4)]
    [InlineData("transformer.h.0.attn.c_attn.weight", 0.5, 0.25, 1)]
    [InlineData("transformer.h.0.attn.c_proj.weight", 0.5, 0.25, 1)]
    [InlineData("transformer.h.0.mlp.c_fc.weight", 0.5, 0.25, 1)]
    [InlineData("transformer.h.0.mlp.c_proj.weight", 0.5, 0.25, 1)]
    [InlineData("transformer.h.0.mlp.c_fc.bias", 1, 1, 4)]
    [InlineData("transformer.h.0.ln_1.weight", 1, 1, 4)]
    [InlineData("transformer.ln_f.weight", 1, 1, 4)]
    [InlineData("lm_head.weight", 0.25, 0.25, 0.25)]
    public void WidthFactorsAreThoseOfTheTable(string name, double initial, double adam, double sgd)
    {
        Mup mup = new MupConfig { BaseHiddenSize = 16 }.Of(Wide);
        ParameterSpec spec = Spec(Wide, name);
        Assert.Equal(initial, mup.InitialFactor(spec), 12);
        Assert.Equal(adam, Rate(mup, spec, new AdamW(new AdamWConfig())), 12);
        Assert.Equal(sgd, Rate(mup, spec, new Sgd(new SgdConfig())), 12);
    }

    /// <summary>An orthogonalized update is of one size at every width; by `rms` it grows as the root of the width does.</summary>
    [Theory]
    [InlineData(UpdateScale.Spectral, 1)]
    [InlineData(UpdateScale.Rms, 0.5)]
    public void MuonsFactorsMakeItsUpdatesSpectral(UpdateScale scale, double factor)
    {
        Mup mup = new MupConfig { BaseHiddenSize = 16 }.Of(Wide);
        var muon = new Muon(new MuonConfig { UpdateScale = scale });
        Assert.Equal(factor, Rate(mup, Spec(Wide, "transformer.h.0.attn.c_attn.weight"), muon), 12);
        Assert.Equal(factor, Rate(mup, Spec(Wide, "transformer.h.0.mlp.c_proj.weight"), muon), 12);
        Assert.Equal(0.25, Rate(mup, Spec(Wide, "lm_head.weight"), muon), 12);
    }

    /// <summary>The output multiplier 1 / m of a tied head (table 8) lies in the last norm: its values, AdamW's rate, and twice in SGD's.</summary>
    [Fact]
    public void ATiedHeadHasItsMultiplierInTheLastNorm()
    {
        Gpt2Config tied = Wide with { TiedHead = true };
        Mup mup = new MupConfig { BaseHiddenSize = 16 }.Of(tied);
        foreach (string name in new[] { "transformer.ln_f.weight", "transformer.ln_f.bias" })
        {
            Assert.Equal(0.25, mup.InitialFactor(Spec(tied, name)), 12);
            Assert.Equal(0.25, Rate(mup, Spec(tied, name), new AdamW(new AdamWConfig())), 12);
            Assert.Equal(4.0 / 16, Rate(mup, Spec(tied, name), new Sgd(new SgdConfig())), 12);
        }
    }

    /// <summary>CompleteP, table 1, of a model four times as deep as its base; the multiplier of what layers add lies in the output projections.</summary>
    [Theory]
    [InlineData(1.0, "transformer.h.0.mlp.c_proj.weight", 0.25, 0.25)]
    [InlineData(1.0, "transformer.h.0.mlp.c_proj.bias", 0.25, 0.25)]
    [InlineData(1.0, "transformer.h.0.mlp.c_fc.weight", 1, 1)]
    [InlineData(0.5, "transformer.h.0.mlp.c_proj.weight", 0.5, 0.25)]
    [InlineData(0.5, "transformer.h.0.mlp.c_fc.weight", 1, 0.5)]
    [InlineData(0.5, "transformer.wte.weight", 1, 1)]
    public void DepthFactorsAreThoseOfTheTable(double alpha, string name, double initial, double adam)
    {
        Mup mup = new MupConfig { BaseHiddenSize = 64, BaseLayers = 2, DepthAlpha = alpha }.Of(Wide);
        Assert.Equal(initial, mup.InitialFactor(Spec(Wide, name)), 12);
        Assert.Equal(adam, Rate(mup, Spec(Wide, name), new AdamW(new AdamWConfig())), 12);
    }

    /// <summary>1 / d in place of 1 / sqrt(d): queries alone have the root of base head size over head size, in values and in rates.</summary>
    [Fact]
    public void QueriesAloneHaveTheMultiplierOfAttention()
    {
        Mup mup = new MupConfig { BaseHiddenSize = 64, BaseHeadSize = 4 }.Of(Wide);
        ParameterSpec fused = Spec(Wide, "transformer.h.0.attn.c_attn.weight");
        double[] expected = [.. Enumerable.Range(0, 192).Select(i => i < 64 ? 0.5 : 1)];
        Assert.Equal(expected, Near.Values(mup.InitialFactors(fused, Device.Cpu)!));
        Assert.Equal(expected, Near.Values(mup.RateFactors(fused, (fans, _) => Math.Sqrt(fans.In * fans.Out), Device.Cpu)!));
        Assert.Equal(1, mup.InitialFactor(fused), 12);
        var llama = new LlamaConfig { Layers = 1, HiddenSize = 64, Heads = 4, ContextLength = 8, VocabularySize = 9 };
        Mup ofLlama = new MupConfig { BaseHiddenSize = 64, BaseHeadSize = 4 }.Of(llama);
        Assert.Equal(0.5, ofLlama.InitialFactor(Spec(llama, "model.layers.0.self_attn.q_proj.weight")), 12);
        Assert.Equal(1, ofLlama.InitialFactor(Spec(llama, "model.layers.0.self_attn.k_proj.weight")), 12);
    }

    /// <summary>A run that ends at width 64 and stores 32 of them has the rates of 32.</summary>
    [Fact]
    public void RatesAreThoseOfTheWidthThatIsStored()
    {
        Mup mup = new MupConfig { BaseHiddenSize = 16 }.Of(Wide);
        ParameterSpec stored = Spec(Wide with { HiddenSize = 32, Heads = 2 }, "transformer.h.0.mlp.c_fc.weight");
        Assert.Equal(Math.Sqrt(0.5), mup.InitialFactor(stored), 12);
        Assert.Equal(0.5, Rate(mup, stored, new AdamW(new AdamWConfig())), 12);
    }

    /// <summary>At the base model all is as without it, bit by bit.</summary>
    [Fact]
    public void AtTheBaseNothingChanges()
    {
        Mup mup = new MupConfig { BaseHiddenSize = 64, BaseFfnSize = 256, BaseHeadSize = 16, BaseLayers = 8 }.Of(Wide);
        var rules = new OptimizerConfig[] { new AdamWConfig(), new MuonConfig(), new MuonNsgdConfig(), new SgdConfig() };
        foreach (ParameterSpec spec in new Gpt2().Parameters(Wide))
        {
            Assert.Equal(1, mup.InitialFactor(spec));
            Assert.Null(mup.InitialFactors(spec, Device.Cpu));
            Assert.All(rules, rule => Assert.Equal(1, Rate(mup, spec, rule.Create())));
        }
    }

    private static ParameterSpec Spec(ModelConfig model, string name) =>
        model.Architecture.Parameters(model).Single(spec => spec.Name == name);

    private static double Rate(Mup mup, ParameterSpec spec, IOptimizer rule) =>
        mup.RateFactor(spec, (fans, gradient) => rule.UpdateNorm(spec, fans, gradient));
}
