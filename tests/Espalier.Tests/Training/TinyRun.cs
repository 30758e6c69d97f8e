using System.Text;
using System.Text.Json.Nodes;
using Espalier.Configuration;
using Espalier.Data;
using Espalier.Evaluation;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Tests.Data;
using Espalier.Training;

namespace Espalier.Tests.Training;

/// <summary>Text of our own, and runs of 24 steps on it that grow twice.</summary>
internal static class TinyRun
{
    public const int Steps = 24, FirstGrowth = 6, SecondGrowth = 13;

    private static readonly Lazy<Dataset> SharedData = new(() =>
    {
        var folder = new TemporaryFolder();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
        return Prepare(folder);
    });

    /// <summary>A dataset for all tests to read.</summary>
    public static Dataset Data => SharedData.Value;

    /// <summary>Some kilobytes of sentences as bytes, in a folder's <c>data</c>.</summary>
    public static Dataset Prepare(TemporaryFolder folder)
    {
        string[] words = ["apple", "branch", "climbs", "the", "wall", "and", "grows", "every", "year", "a", "layer"];
        for (int document = 0; document < 10; document++)
        {
            var random = new CounterRandom(1, RandomPurpose.BatchOrder, document);
            var text = new StringBuilder();
            for (uint word = 0; word < 160; word++)
            {
                text.Append(words[random.NextBelow((ulong)words.Length, word)]).Append(word % 8 == 7 ? ".\n" : " ");
            }

            folder.Write($"text/{document}.txt", text.ToString());
        }

        return CorpusPreparer.Prepare(
            Corpus.Open([folder.File("text")]),
            folder.File("data"),
            new PreparationOptions { Tokenizer = ByteLevelBpe.RawBytes, HeldOutFiles = ["8.txt", "9.txt"] });
    }

    private static Gpt2Config Model => new() { Layers = 4, HiddenSize = 16, Heads = 2, ContextLength = 16 };

    /// <summary>Sentences of a tiny WordPiece vocabulary, in a folder's <c>word-pieces</c>.</summary>
    public static Dataset PrepareWordPieces(TemporaryFolder folder)
    {
        string[] words = ["apple", "branch", "climbs", "the", "wall", "and", "grows", "every", "year", "a", "layer"];
        for (int document = 0; document < 4; document++)
        {
            var random = new CounterRandom(3, RandomPurpose.BatchOrder, document);
            folder.Write($"text/{document}.txt", string.Join(' ', Enumerable.Range(0, 600).Select(
                word => words[random.NextBelow((ulong)words.Length, (uint)word)])));
        }

        return CorpusPreparer.Prepare(
            Corpus.Open([folder.File("text")]),
            folder.File("word-pieces"),
            new PreparationOptions
            {
                Tokenizer = WordPiece.Create(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", .. words], lowercase: true),
                HeldOutFiles = ["3.txt"],
            });
    }

    /// <summary>The method of <see cref="Recipe"/>: 1, 2, then 4 layers.</summary>
    public static ApolloConfig Apollo => (ApolloConfig)new ApolloConfig
    {
        Stages = [1, 2, 4],
        Boundaries = [Duration.Steps(FirstGrowth), Duration.Steps(SecondGrowth)],
    }.Resolve(Model);

    /// <summary>1, 2, then 4 layers; two micro-batches a step; a log row every 5 steps, checkpoints every 8.</summary>
    public static Recipe Recipe => new()
    {
        Name = "tiny",
        Seed = 7,
        Model = Model,
        Data = new DataConfig { Path = Data.Folder },
        Training = new TrainingConfig
        {
            Length = Duration.Steps(Steps), MicroBatch = 3, GradientAccumulation = 2, Precision = Precision.F32, Device = "cpu",
        },
        LearningRate = new LearningRateConfig { Peak = 1e-2 },
        Method = Apollo,
        Evaluation = new EvaluationConfig { Every = Duration.Steps(12), Tokens = 200 },
        Checkpoint = new CheckpointConfig { Every = Duration.Steps(8) },
        Logging = new LoggingConfig { Every = Duration.Steps(5) },
    };

    /// <summary>Runs a recipe in a folder, or goes on there.</summary>
    /// <param name="folder">The run's folder.</param>
    /// <param name="recipe">The recipe.</param>
    /// <param name="stopAfter">Asks the run to stop once that many updates are done.</param>
    /// <param name="hear">Hears of its progress.</param>
    /// <param name="data">What it trains on; by default <see cref="Data"/>.</param>
    /// <param name="keptAs">
    /// The recipe that the folder keeps; by default the recipe itself, which then must be one that can be written.
    /// </param>
    /// <returns>Whether the run has reached its end.</returns>
    public static bool Go(
        string folder, Recipe recipe, long stopAfter = long.MaxValue, Action<TrainingProgress>? hear = null,
        Dataset? data = null, Recipe? keptAs = null)
    {
        using var stop = new CancellationTokenSource();
        if (stopAfter == 0)
        {
            stop.Cancel();
        }

        using var trainer = new Trainer(recipe, data ?? Data, progress =>
        {
            hear?.Invoke(progress);
            if (progress.Step >= stopAfter)
            {
                stop.Cancel();
            }
        });
        using RunDirectory run = RunDirectory.Open(folder, keptAs ?? recipe);
        return trainer.Run(run, stop.Token);
    }

    /// <summary>The folder of the checkpoint after a step.</summary>
    public static string Checkpoint(string folder, long step) => Path.Combine(folder, "checkpoints", $"step-{step:D8}");

    /// <summary>Every file below a folder, by name, with its content.</summary>
    public static Dictionary<string, string> Files(string folder) =>
        Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).ToDictionary(
            path => Path.GetRelativePath(folder, path),
            path => Path.GetFileName(path) == ".lock" ? "" : Convert.ToHexString(File.ReadAllBytes(path)));

    /// <summary>The same weights and moments, bit for bit.</summary>
    public static void SameWeights(string expectedCheckpoint, string actualCheckpoint)
    {
        foreach (string file in new[] { "model.safetensors", "optimizer.safetensors" })
        {
            Assert.True(
                File.ReadAllBytes(Path.Combine(expectedCheckpoint, file))
                    .SequenceEqual(File.ReadAllBytes(Path.Combine(actualCheckpoint, file))),
                $"{actualCheckpoint}: {file} differs");
        }
    }

    /// <summary>The same weights, moments and position; only the seconds may differ.</summary>
    public static void SameEnd(string whole, string run, long steps = Steps)
    {
        string expected = Checkpoint(whole, steps), actual = Checkpoint(run, steps);
        SameWeights(expected, actual);
        JsonObject expectedState = State(expected), actualState = State(actual);
        expectedState.Remove("seconds");
        actualState.Remove("seconds");
        Assert.Equal(expectedState.ToJsonString(), actualState.ToJsonString());
    }

    /// <summary>Changes a checkpoint's <c>training_state.json</c>, as if it had been written so.</summary>
    public static void Rewrite(string checkpoint, JsonObject state)
    {
        File.WriteAllText(Path.Combine(checkpoint, "training_state.json"), state.ToJsonString());
        Checksums.Write(checkpoint);
    }

    /// <summary>The <c>training_state.json</c> of a checkpoint.</summary>
    public static JsonObject State(string checkpoint) =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(checkpoint, "training_state.json")))!.AsObject();
}
