using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Tests.Growth;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Tests.Models;

/// <summary>
/// The coordinate check (Tensor Programs V, appendix D.1): what the embedding, every layer and the head give, and how far a few updates
/// move it, is of one size at every width and depth. Without the parametrization it is not.
/// </summary>
[Trait("Kind", "Slow")]
public class CoordinateCheckTests
{
    private const int Width = 32, Layers = 2, Updates = 3;

    public static IEnumerable<object[]> Models =>
        from model in new[] { "gpt2", "bert", "llama" }
        from rule in new[] { "adamw", "muon" }
        select new object[] { model, rule };

    [Theory]
    [MemberData(nameof(Models))]
    public void ActivationsAndUpdatesAreLevelOverWidth(string type, string rule)
    {
        Coordinates atBase = Of(Width, null);
        foreach (int width in new[] { 64, 128, 256, 512 })
        {
            Coordinates wide = Of(width, new MupConfig { BaseHiddenSize = Width });
            Level(atBase.Stream, wide.Stream, 0.6, 1.5, $"stream at {width}");
            Level(atBase.StreamMoves, wide.StreamMoves, 0.6, 1.5, $"moves of the stream at {width}");

            // What a tied head makes of initial values falls with the root of the width, and its share of the moves with it.
            Level([atBase.Scores], [wide.Scores], 0.9 / Math.Sqrt(width / Width), 1.2, $"scores at {width}");
            Level([atBase.ScoreMoves], [wide.ScoreMoves], 0.4, 1.2, $"moves of the scores at {width}");
        }

        Coordinates standard = Of(256, null);
        Assert.True(standard.ScoreMoves > 2 * atBase.ScoreMoves, $"without it: {standard.ScoreMoves}, {atBase.ScoreMoves}");

        Coordinates Of(int width, MupConfig? parametrization) => Coordinates.Of(Model(type, Layers, width), rule, parametrization);
    }

    /// <summary>A BERT, which norms after each sublayer, has no depth factors.</summary>
    [Theory]
    [InlineData("gpt2", "adamw")]
    [InlineData("gpt2", "muon")]
    [InlineData("llama", "adamw")]
    [InlineData("llama", "muon")]
    public void ActivationsAndUpdatesAreLevelOverDepth(string type, string rule)
    {
        Coordinates atBase = Of(Layers, null);
        foreach (int depth in new[] { 4, 8, 16 })
        {
            Coordinates deep = Of(depth, new MupConfig { BaseHiddenSize = Width, BaseLayers = Layers });
            Level([atBase.Stream[^1]], [deep.Stream[^1]], 0.4, 1.2, $"stream at {depth}");
            Level([atBase.StreamMoves[^1]], [deep.StreamMoves[^1]], 0.4, 1.2, $"moves of the stream at {depth}");
            Level([atBase.ScoreMoves], [deep.ScoreMoves], 0.6, 1.6, $"moves of the scores at {depth}");
        }

        Coordinates standard = Of(16, null);
        Assert.True(standard.StreamMoves[^1] > 2 * atBase.StreamMoves[^1], $"without it: {standard.StreamMoves[^1]}, {atBase.StreamMoves[^1]}");

        Coordinates Of(int depth, MupConfig? parametrization) => Coordinates.Of(Model(type, depth, Width), rule, parametrization);
    }

    private static void Level(double[] expected, double[] found, double least, double most, string what) =>
        Assert.All(expected.Zip(found), pair => Assert.True(
            pair.Second >= least * pair.First && pair.Second <= most * pair.First, $"{what}: {pair.Second}, at the base {pair.First}"));

    private static ModelConfig Model(string type, int layers, int width) => type switch
    {
        "gpt2" => new Gpt2Config
        {
            Layers = layers, HiddenSize = width, Heads = width / 16, ContextLength = 12, VocabularySize = 31, InitializerRange = 0.1,
        },
        "bert" => new BertConfig
        {
            Layers = layers, HiddenSize = width, Heads = width / 16, ContextLength = 12, VocabularySize = 31, InitializerRange = 0.1,
        },
        _ => new LlamaConfig
        {
            Layers = layers, HiddenSize = width, Heads = width / 16, ContextLength = 12, VocabularySize = 31, InitializerRange = 0.1,
            FfnSize = 3 * width,
        },
    };

    /// <summary>Root mean squares over a batch: of the stream after the embedding and after each layer, and of the scores.</summary>
    private sealed record Coordinates(double[] Stream, double Scores, double[] StreamMoves, double ScoreMoves)
    {
        public static Coordinates Of(ModelConfig model, string rule, MupConfig? parametrization)
        {
            Mup? mup = parametrization?.Of(model);
            OptimizerConfig optimizer = rule == "adamw" ? new AdamWConfig() : new MuonConfig();
            IOptimizer update = optimizer.Create(mup);
            using var scope = new TensorScope();
            using TrainingState state = TrainingState.Begin(model, model.Layers, update, 5, Device.Cpu, mup: mup);
            var plan = ForwardPlan.Plain(model.Layers);
            ModelBatch batch = GrowthSample.Batch(model, sequences: 4);
            double[][] before = Walk(state.Model, batch, plan);
            var step = new TrainingStep(update, 1, Compute.Cpu);
            for (int i = 0; i < Updates; i++)
            {
                step.Run(state, 1, _ => plan, (_, _) => batch, _ => 0, 5e-3);
            }

            double[][] after = Walk(state.Model, batch, plan);
            double[] sizes = [.. before.Select(RootMeanSquare)];
            double[] moves = [.. before.Zip(after, (b, a) => RootMeanSquare([.. b.Zip(a, (x, y) => y - x)]))];
            return new Coordinates(sizes[..^1], sizes[^1], moves[..^1], moves[^1]);
        }

        private static double[][] Walk(Model model, ModelBatch batch, ForwardPlan plan)
        {
            using var noGrad = new NoGrad();
            var rest = new ModelPart(model, plan, hasDropout: false);
            Tensor x_BTC = model.Architecture.Embed(rest, batch.Input);
            List<double[]> seen = [Near.Values(x_BTC)];
            foreach (LayerRun run in plan.Layers)
            {
                x_BTC = model.Architecture.Layer(new ModelPart(model, run, hasDropout: false), x_BTC, batch.Input.Lengths);
                seen.Add(Near.Values(x_BTC));
            }

            seen.Add(Near.Values(model.Architecture.Logits(rest, model.Architecture.Finish(rest, x_BTC))));
            return [.. seen];
        }

        private static double RootMeanSquare(double[] values) => Math.Sqrt(values.Average(value => value * value));
    }
}
