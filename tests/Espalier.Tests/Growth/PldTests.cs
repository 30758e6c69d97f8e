using Espalier.Growth;
using Espalier.Models;

namespace Espalier.Tests.Growth;

public class PldTests
{
    private const int Layers = 6;

    private static readonly PldConfig Config = new() { Theta = 0.5, Gamma = 0.001 };

    private static IProgressiveMethod Method(ulong seed = 1) => Config.Create(new RunShape(
        new Gpt2Config { Layers = Layers, HiddenSize = 8, Heads = 2, ContextLength = 8, VocabularySize = 16 }, 5000, 64, seed));

    [Theory]
    [InlineData(0, 5, 1)]
    [InlineData(1_000_000, 5, 0.5)]
    [InlineData(1_000_000, 0, 1 - (0.5 / 6))]
    [InlineData(1000, 2, 1 - (0.5 * (1 - 0.36787944117144233) / 2))]
    public void KeepsWhatThePaperSays(long step, int layer, double probability) =>
        Assert.Equal(probability, Config.KeepProbability(step, layer, Layers), 12);

    [Fact]
    public void DropsAsOftenAsThatAndScalesTheRest()
    {
        const int Draws = 20_000;
        IProgressiveMethod method = Method();
        var position = new TrainingPosition { Step = 2000 };
        var kept = new int[Layers];
        for (int microBatch = 0; microBatch < Draws; microBatch++)
        {
            ForwardPlan plan = method.Plan(method.InitialModel, position, microBatch);
            Assert.Equal(plan.StoredLayers.Order().Distinct(), plan.StoredLayers);
            foreach (LayerRun run in plan.Layers)
            {
                kept[run.Stored]++;
                Assert.Equal(1 / Config.KeepProbability(position.Step, run.Stored, Layers), run.Scale);
            }
        }

        for (int layer = 0; layer < Layers; layer++)
        {
            double probability = Config.KeepProbability(position.Step, layer, Layers);
            double deviation = Math.Sqrt(probability * (1 - probability) * Draws);
            Assert.InRange(kept[layer] - (probability * Draws), -4 * deviation, 4 * deviation);
        }
    }

    [Fact]
    public void DrawsAreFunctionsOfSeedStepAndMicroBatch()
    {
        int[] Stored(ulong seed, long step, int microBatch) =>
            [.. Method(seed).Plan(Method().InitialModel, new TrainingPosition { Step = step }, microBatch).StoredLayers];

        Assert.Equal(Stored(1, 3000, 2), Stored(1, 3000, 2));
        int[][] others = [.. Enumerable.Range(0, 20).Select(i => Stored(1, 3000, i))];
        Assert.True(others.DistinctBy(stored => string.Join(',', stored)).Count() > 5);
        Assert.Contains(Enumerable.Range(0, 20), i => !Stored(1, 3000, i).SequenceEqual(Stored(2, 3000, i)));
    }

    [Fact]
    public void IsMeasuredWholeAndNeverGrows()
    {
        IProgressiveMethod method = Method();
        Assert.Equal(Enumerable.Range(0, Layers), method.EvaluationPlan(method.InitialModel, new TrainingPosition()).StoredLayers);
        Assert.All(method.EvaluationPlan(method.InitialModel, new TrainingPosition()).Layers, run => Assert.Equal(1, run.Scale));
        Assert.Null(method.Next(method.InitialModel, new TrainingPosition { Step = 4999 }));
    }
}
