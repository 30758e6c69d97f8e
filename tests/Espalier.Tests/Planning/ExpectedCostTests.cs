using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Planning;
using Espalier.Tests.Training;
using Espalier.Training;

namespace Espalier.Tests.Planning;

public class ExpectedCostTests
{
    private static readonly ModelConfig Model = new Gpt2Config
    {
        Layers = 12, HiddenSize = 32, Heads = 2, ContextLength = 16, VocabularySize = 257,
    };

    /// <summary>
    /// The released schedule, 1-3-6-12 layers at 5, 10 and 25 %, run to its end: 5 % of 1.767 layers, 5 % of 4.226, 15 % of 7.135 and
    /// 75 % of 12 are 86.4 % of 12.
    /// </summary>
    [Fact]
    public void ApolloRunToItsEndCostsWhatItsDepthsDo()
    {
        ExpectedCost cost = Cost(new ApolloConfig(), 10_000);
        Assert.True(cost.IsExact);
        Assert.Equal([1, 3, 6, 12], cost.Stages.Select(stage => stage.Model.Layers));
        Assert.Equal([0L, 500, 1000, 2500], cost.Stages.Select(stage => stage.Begin));
        Assert.Equal(0.864, cost.Flops.Layers / cost.Scratch.Layers, 5e-4);
        Assert.Equal(cost.Flops.Layers / cost.Scratch.Layers, cost.ShareWithoutHead, 1e-9);
        Assert.True(cost.Share > cost.ShareWithoutHead);
        Assert.Equal(cost.Scratch.Head, cost.Flops.Head, cost.Scratch.Head * 1e-9);
    }

    /// <summary>What is expected is what draws come to.</summary>
    [Theory]
    [InlineData(DepthSamplerKind.Lvps)]
    [InlineData(DepthSamplerKind.Uniform)]
    [InlineData(DepthSamplerKind.Full)]
    [InlineData(DepthSamplerKind.None)]
    [InlineData(DepthSamplerKind.Sigmoid)]
    [InlineData(DepthSamplerKind.InversePower)]
    public void DrawsComeToTheSame(DepthSamplerKind sampler)
    {
        Recipe recipe = Recipe(new ApolloConfig { Sampler = sampler, InversePower = 1 }, 20_000);
        var plan = new RunPlan(recipe, Model);
        double drawn = plan.Foresee(20_000, asDrawn: true).Sum(step => step.Cost.Total);
        Assert.Equal(drawn, ExpectedCost.Of(recipe, Model).Flops.Total, drawn * 0.005);
    }

    /// <summary>A method whose plans do not cost alike has them drawn, and it is said so.</summary>
    [Fact]
    public void MethodsThatCannotTellAreDrawn()
    {
        ExpectedCost pld = Cost(new PldConfig { Gamma = 1, Theta = 0.5 }, 10_000);
        Assert.False(pld.IsExact);

        // Layer i of 12 is kept with 1 - i/24: three quarters, less what the average over layers adds, of all.
        double kept = Enumerable.Range(1, 12).Average(i => 1 - (0.5 * i / 12));
        Assert.Equal(kept, pld.ShareWithoutHead, 0.01);
    }

    public static TheoryData<MethodConfig> Methods =>
    [
        new ScratchConfig(), new ApolloConfig(), new ProgressiveConfig(), new StackBertConfig(), new MidasConfig { Stages = [3, 6, 12], Boundaries = [(GrowthTrigger)Duration.Percent(20), (GrowthTrigger)Duration.Percent(50)] },
        new MsltConfig(), new LateGrowthConfig(), new RaptrConfig(), new RandomLtdConfig { Quantum = 1 },
        new StagedTrainingConfig(), new GStackConfig(), new CompoundGrowConfig(), new RepeatLayersConfig(), new LlamaProConfig(), new MsgConfig(),
    ];

    /// <summary>Where a method says that all its plans cost alike, what it draws must cost that.</summary>
    [Theory]
    [MemberData(nameof(Methods))]
    public void WhatMethodsSayOfTheirPlansHolds(MethodConfig method)
    {
        var plan = new RunPlan(Recipe(method, 300), Model);
        Assert.True(plan.CostIsExact);
        double exact = plan.Foresee(300).Sum(step => step.Cost.Total), drawn = plan.Foresee(300, asDrawn: true).Sum(step => step.Cost.Total);
        Assert.Equal(exact, drawn, method is ApolloConfig ? exact * 0.05 : exact * 1e-12);
    }

    private static ExpectedCost Cost(MethodConfig method, int steps) => ExpectedCost.Of(Recipe(method, steps), Model);

    private static Recipe Recipe(MethodConfig method, int steps) => (TinyRun.Recipe with
    {
        Model = Model,
        Training = TinyRun.Recipe.Training with { Length = Duration.Steps(steps) },
        Method = method,
    }).Resolve();
}
