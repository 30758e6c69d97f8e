using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Models;

namespace Espalier.Tests.Growth;

public class RandomLtdTests
{
    private static readonly ModelConfig Model = GrowthSample.Gpt2(5) with { ContextLength = 128 };

    private static readonly RandomLtdConfig Config = new() { Begin = 0.25, Until = Duration.Steps(600), Quantum = 16 };

    private static ForwardPlan Plan(long step, int microBatch = 0, ulong seed = 1) =>
        Config.Create(new RunShape(Model, 1000, 64, seed)).Plan(Model, new TrainingPosition { Step = step }, microBatch);

    /// <summary>From 32 to 128 tokens, 16 more every hundred steps.</summary>
    [Theory]
    [InlineData(0, 32)]
    [InlineData(99, 32)]
    [InlineData(100, 48)]
    [InlineData(350, 80)]
    [InlineData(599, 112)]
    [InlineData(600, 128)]
    [InlineData(5000, 128)]
    public void MoreTokensAreSeenInQuanta(long step, int seen) => Assert.Equal(seen, Config.Seen(step, 600, 128));

    [Fact]
    public void FirstAndLastLayerSeeAllTheOthersEachItsOwn()
    {
        ForwardPlan plan = Plan(150);
        Assert.Equal(Enumerable.Range(0, 5), plan.StoredLayers);
        Assert.Null(plan.Layers[0].Tokens);
        Assert.Null(plan.Layers[^1].Tokens);
        TokenSubset[] between = [.. plan.Layers.Skip(1).SkipLast(1).Select(run => run.Tokens!)];
        Assert.All(between, tokens => Assert.Equal(48, tokens.Count));
        Assert.Equal(3, between.DistinctBy(tokens => tokens.Seed).Count());
        Assert.NotEqual(between[0], Plan(150, microBatch: 1).Layers[1].Tokens);
        Assert.NotEqual(between[0], Plan(151).Layers[1].Tokens);
        Assert.NotEqual(between[0], Plan(150, seed: 2).Layers[1].Tokens);
        Assert.Equal(between[0], Plan(150).Layers[1].Tokens);
    }

    [Fact]
    public void InTheEndAndWhenMeasuredAllIsSeen()
    {
        Assert.All(Plan(600).Layers, run => Assert.Null(run.Tokens));
        IProgressiveMethod method = Config.Create(new RunShape(Model, 1000, 64, 1));
        Assert.Equal(Model, method.InitialModel);
        Assert.All(method.EvaluationPlan(Model, new TrainingPosition()).Layers, run => Assert.Null(run.Tokens));
        Assert.Null(method.Next(Model, new TrainingPosition { Step = 999 }));
    }
}
