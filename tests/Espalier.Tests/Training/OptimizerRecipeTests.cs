using Espalier.Optimization;
using Espalier.Training;

namespace Espalier.Tests.Training;

/// <summary>The recipe's section `optimizer`, which says which rule it is.</summary>
public class OptimizerRecipeTests
{
    private const string Rest = """
        model: {n_layer: 4, n_embd: 16, n_head: 2, n_positions: 16}
        data: {path: data/x}
        training: {length: 1000 steps, micro_batch: 16}
        learning_rate: {peak: 1e-3}
        method: {name: scratch}

        """;

    [Fact]
    public void TheNameSaysWhichRuleItIsAndItsDefaults()
    {
        Assert.Equal(new AdamWConfig { Beta2 = 0.95 }, Read("{name: adamw, beta2: 0.95}"));
        Assert.Equal(
            new MuonConfig { UpdateScale = UpdateScale.Spectral, AdamwRate = 0.1, Beta2 = 0.95 },
            Read("{name: muon, update_scale: spectral, adamw_rate: 0.1, beta2: 0.95}"));
        Assert.Equal(new SgdConfig { Momentum = 0 }, Read("{name: sgd, momentum: 0}"));
        var nsgd = Assert.IsType<MuonNsgdConfig>(Read("{name: muon-nsgd}"));
        Assert.Equal((0.0, 0.01, UpdateScale.Spectral), (nsgd.ClipNorm, nsgd.WeightDecay, nsgd.UpdateScale));
        Assert.Equal(UpdateScale.Rms, Assert.IsType<MuonConfig>(Read("{name: muon}")).UpdateScale);
    }

    /// <summary>As recipes and run folders have it that are older than the other rules.</summary>
    [Fact]
    public void WithoutANameItIsAdamW() => Assert.Equal(
        new AdamWConfig { Beta2 = 0.95 },
        Read("{beta1: 0.9, beta2: 0.95, epsilon: 1e-08, weight_decay: 0.01, clip_norm: 1}"));

    [Theory]
    [InlineData("{name: sgd, beta1: 0.9}", "optimizer.beta1: is a key of adamw and muon, and this optimizer is sgd — leave it out, or set `optimizer.name` to adamw or muon")]
    [InlineData("{momentum: 0.9}", "optimizer.momentum: is a key of muon and muon-nsgd and sgd, and this optimizer is adamw — leave it out, or set `optimizer.name` to muon or muon-nsgd or sgd")]
    [InlineData("{name: muon-nsgd, adamw_rate: 1}", "optimizer.adamw_rate: is a key of muon, and this optimizer is muon-nsgd — leave it out, or set `optimizer.name` to muon")]
    [InlineData("{name: moun}", "optimizer.name: `moun` is not one of adamw, muon, muon-nsgd, sgd — did you mean `muon`?")]
    [InlineData("{name: muon, momentum: 1}", "optimizer.momentum: ")]
    [InlineData("{name: muon, update_scale: big}", "optimizer.update_scale: `big` is not one of spectral, rms")]
    public void KeysOfAnotherRuleAreNamedAsSuch(string section, string says)
    {
        string problem = Assert.Throws<UserErrorException>(() => Read(section)).Message;
        Assert.StartsWith("r.yaml:6: " + says, problem, StringComparison.Ordinal);
    }

    private static OptimizerConfig Read(string section) => RecipeReader.Parse(Rest + "optimizer: " + section + "\n", "r.yaml").Optimizer;
}
