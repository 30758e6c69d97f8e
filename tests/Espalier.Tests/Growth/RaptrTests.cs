using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Models;

namespace Espalier.Tests.Growth;

public class RaptrTests
{
    private const int Layers = 12;

    private static readonly ModelConfig Model = GrowthSample.Gpt2(Layers);

    private static IProgressiveMethod Method(RaptrConfig? config = null, ulong seed = 1) =>
        (config ?? new RaptrConfig()).Create(new RunShape(Model, 1000, 64, seed));

    private static int[] Path(IProgressiveMethod method, long step, int microBatch = 0) =>
        [.. method.Plan(Model, new TrainingPosition { Step = step }, microBatch).StoredLayers];

    [Fact]
    public void PathsGrowFromStageToStageAndKeepBothEnds()
    {
        IProgressiveMethod method = Method();
        for (int step = 0; step < 1000; step++)
        {
            int[] path = Path(method, step);
            Assert.Equal(6 + (2 * (step / 250)), path.Length);
            Assert.Equal((0, Layers - 1), (path[0], path[^1]));
            Assert.Equal(path.Order().Distinct(), path);
        }
    }

    [Fact]
    public void EveryLayerBetweenIsAsLikely()
    {
        const int Draws = 4000;
        IProgressiveMethod method = new RaptrConfig { Stages = [6, 12], Boundaries = [Duration.Percent(90)] }
            .Create(new RunShape(Model, 10 * Draws, 64, 1));
        int[] counts = new int[Layers];
        foreach (int layer in Enumerable.Range(0, Draws).SelectMany(step => Path(method, step)))
        {
            counts[layer]++;
        }

        double deviation = Math.Sqrt(Draws * 0.4 * 0.6);
        Assert.All(counts[1..^1], count => Assert.InRange(count - (0.4 * Draws), -4 * deviation, 4 * deviation));
    }

    [Fact]
    public void AnUpdateHasOnePathThatFollowsFromItsSeed()
    {
        Assert.All(Enumerable.Range(0, 50), step => Assert.Equal(Path(Method(), step), Path(Method(), step, 3)));
        Assert.Contains(Enumerable.Range(0, 50), step => !Path(Method(), step).SequenceEqual(Path(Method(seed: 2), step)));
        Assert.True(Enumerable.Range(0, 50).Select(step => string.Join(',', Path(Method(), step))).Distinct().Count() > 20);
    }

    [Fact]
    public void IsMeasuredWholeAndNeverGrows()
    {
        Assert.Equal(Model, Method().InitialModel);
        Assert.Equal(Enumerable.Range(0, Layers), Method().EvaluationPlan(Model, new TrainingPosition()).StoredLayers);
        Assert.Null(Method().Next(Model, new TrainingPosition { Step = 999 }));
    }

    [Theory]
    [InlineData(12, "6 8 10 12", "25 % 50 % 75 %")]
    [InlineData(4, "2 3 4", "33.333333333333336 % 66.66666666666667 %")]
    [InlineData(2, "2", "")]
    [InlineData(1, "1", "")]
    public void StagesScaleWithTheModel(int layers, string stages, string boundaries)
    {
        var resolved = (RaptrConfig)new RaptrConfig().Resolve(GrowthSample.Gpt2(layers));
        Assert.Equal(stages, string.Join(' ', resolved.Stages));
        Assert.Equal(boundaries, string.Join(' ', resolved.Boundaries));
        ForwardPlan plan = resolved.Create(new RunShape(Model with { Layers = layers }, 100, 64, 1))
            .Plan(Model with { Layers = layers }, new TrainingPosition(), 0);
        Assert.Equal(resolved.Stages[0], plan.Depth);
    }

    [Theory]
    [InlineData("[1, 12] begins with 1 layers", 1, 12)]
    [InlineData("[6, 6, 12] does not increase", 6, 6, 12)]
    [InlineData("[6, 8] ends with 8 layers where the model has n_layer 12", 6, 8)]
    [InlineData(null, 2, 12)]
    public void StagesArePathsOfTheModel(string? problem, params int[] stages) => Assert.Equal(
        problem,
        new RaptrConfig { Stages = stages }
            .Check(new MethodSurroundings(GrowthSample.Gpt2(Layers), "n_layer", new RunShape(Model, 1000, 64, 1), _ => true))
            .Select(found => found.What).SingleOrDefault());
}
