using System.Text;
using Espalier.Configuration;
using Espalier.Data;
using Espalier.Evaluation;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Tests.Data;
using Espalier.Tests.Growth;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Tests.Training;

/// <summary>One run that grows twice, and what it leaves behind.</summary>
public sealed class TrainerTests : IClassFixture<TrainerTests.FinishedRun>
{
    private readonly FinishedRun _run;
    private readonly MetricsTable _metrics;

    public TrainerTests(FinishedRun run)
    {
        _run = run;
        _metrics = new MetricsTable(run.Path);
    }

    /// <summary>Longer than the others' run, so that the loss has time to fall.</summary>
    public sealed class FinishedRun : IDisposable
    {
        public const int Steps = 60;

        private readonly TemporaryFolder _folder = new(inMemory: true);

        public FinishedRun()
        {
            Assert.True(TinyRun.Go(Path, Recipe, hear: Heard.Add));
        }

        public string Path => _folder.File("run");

        public Recipe Recipe { get; } = TinyRun.Recipe with
        {
            Training = TinyRun.Recipe.Training with { Length = Duration.Steps(Steps) },
            Checkpoint = new CheckpointConfig { Every = Duration.Steps(4), Keep = 15 },
        };

        public List<TrainingProgress> Heard { get; } = [];

        public void Dispose() => _folder.Dispose();
    }

    [Fact]
    public void TheLossFalls()
    {
        double first = MetricsTable.Number(_metrics.Rows[0], "train_loss"), last = MetricsTable.Number(_metrics.Rows[^1], "train_loss");
        Assert.InRange(first, 3.5, Math.Log(257) + 0.1);
        Assert.InRange(last, 0.1, first - 1);
        Assert.InRange(MetricsTable.Number(_metrics.At(60), "valid_loss"), 0.1, MetricsTable.Number(_metrics.At(12), "valid_loss"));
    }

    [Fact]
    public void ARowEndsEveryLoggingIntervalEvaluationAndCheckpoint()
    {
        Assert.Equal(
            Enumerable.Range(1, FinishedRun.Steps).Where(step => step % 5 == 0 || step % 4 == 0).Select(step => (long)step),
            _metrics.Steps);
        Assert.All(_metrics.Rows, row => Assert.Equal(
            MetricsTable.Number(row, "step") % 12 == 0, MetricsTable.Cell(row, "valid_loss") != ""));
    }

    /// <summary>Every plan is drawn again, and its cost counted by hand: 2 FLOPs a multiply-add, the backward pass twice.</summary>
    [Fact]
    public void TheLedgerIsTheSumOfThePlansThatRan()
    {
        const double Width = 16, Context = 16, Vocabulary = 257, Tokens = 3 * 16;
        ModelConfig final = _run.Recipe.Model with { VocabularySize = 257 };
        IProgressiveMethod method = _run.Recipe.Method.Create(new RunShape(final, FinishedRun.Steps, 96, _run.Recipe.Seed));
        double depths = 0, microBatches = 0, depthsBefore = 0, microBatchesBefore = 0;
        var seen = new HashSet<int>();
        for (int step = 0; step < FinishedRun.Steps; step++)
        {
            int stored = step < TinyRun.FirstGrowth ? 1 : step < TinyRun.SecondGrowth ? 2 : 4;
            for (int microBatch = 0; microBatch < 2; microBatch++)
            {
                ForwardPlan plan = method.Plan(final with { Layers = stored }, new TrainingPosition { Step = step }, microBatch);
                Assert.InRange(plan.Depth, stored, 4);
                seen.Add(plan.Depth);
                depths += plan.Depth;
                microBatches++;
            }

            if (_metrics.Rows.FirstOrDefault(row => MetricsTable.Number(row, "step") == step + 1) is not { } row)
            {
                continue;
            }

            Assert.Equal(microBatches * Tokens, MetricsTable.Number(row, "tokens"));
            Assert.Equal(3 * 2 * 12 * Width * Width * Tokens * depths, MetricsTable.Number(row, "flops_layers"));
            Assert.Equal(3 * 4 * Width * Context * Tokens * depths, MetricsTable.Number(row, "flops_attention"));
            Assert.Equal(3 * 2 * Width * Vocabulary * Tokens * microBatches, MetricsTable.Number(row, "flops_head"));
            Assert.Equal((depths - depthsBefore) / (microBatches - microBatchesBefore), MetricsTable.Number(row, "executed_depth"));
            Assert.Equal(stored, MetricsTable.Number(row, "stored_layers"));
            (depthsBefore, microBatchesBefore) = (depths, microBatches);
        }

        Assert.True(seen.Count > 2, "the draws never left the stored depth: the test shows nothing");
    }

    [Fact]
    public void TimeAndSpeedAgree()
    {
        double seconds = 0, tokens = 0, flops = 0;
        foreach (string[] row in _metrics.Rows)
        {
            double now = MetricsTable.Number(row, "seconds"), done = MetricsTable.Number(row, "tokens");
            double cost = MetricsTable.Number(row, "flops_layers") + MetricsTable.Number(row, "flops_attention")
                + MetricsTable.Number(row, "flops_head");
            Assert.True(now > seconds);
            Near.Equal([(done - tokens) / (now - seconds)], [MetricsTable.Number(row, "tokens_per_second")], 1e-9);
            Near.Equal([(cost - flops) / (now - seconds)], [MetricsTable.Number(row, "flops_per_second")], 1e-9);
            Assert.InRange(MetricsTable.Number(row, "gradient_norm"), 1e-3, 1e3);
            (seconds, tokens, flops) = (now, done, cost);
        }
    }

    /// <summary>Warm-up over 2.5 % (2 steps of 60), then half a cosine to 0.</summary>
    [Fact]
    public void TheLearningRateIsThatOfTheLastUpdate()
    {
        foreach (string[] row in _metrics.Rows)
        {
            double step = MetricsTable.Number(row, "step") - 1;
            double expected = 1e-2 * 0.5 * (1 + Math.Cos(Math.PI * (step - 2) / 58));
            Assert.Equal(expected, MetricsTable.Number(row, "learning_rate"), 1e-12);
        }
    }

    [Fact]
    public void TensorBoardGetsTheSame()
    {
        string path = Assert.Single(Directory.GetFiles(Path.Combine(_run.Path, "tensorboard")));
        string events = Encoding.Latin1.GetString(File.ReadAllBytes(path));
        Assert.Equal(_metrics.Rows.Count, Count("train/loss"));
        Assert.Equal(5, Count("valid/perplexity"));
        Assert.All(
            ["train/perplexity", "train/learning_rate", "train/gradient_norm", "growth/executed_depth", "growth/stored_layers",
                "speed/tokens_per_second", "speed/flops_per_second", "cost/flops", "cost/seconds"],
            tag => Assert.True(Count(tag) >= _metrics.Rows.Count, tag));

        int Count(string tag) => events.Split(tag).Length - 1;
    }

    [Fact]
    public void ACheckpointIsAHuggingFaceFolderAndThePositionBesideIt()
    {
        string[] folders = [.. Directory.GetDirectories(Path.Combine(_run.Path, "checkpoints")).Order(StringComparer.Ordinal)];
        Assert.Equal(Enumerable.Range(1, 15).Select(i => TinyRun.Checkpoint(_run.Path, 4 * i)), folders);
        Assert.Equal("step-00000060\n", File.ReadAllText(Path.Combine(_run.Path, "checkpoints", "latest")));
        Assert.All(folders, folder => Assert.Equal(
            ["SHA256SUMS", "config.json", "model.safetensors", "optimizer.safetensors", "tokenizer.json", "tokenizer_config.json", "training_state.json"],
            Directory.GetFileSystemEntries(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal)));
        using TrainingState state = Read(folders[^1]);
        Assert.Equal(_run.Recipe.Model with { VocabularySize = 257 }, state.Model.Config);
        Assert.Equal((60L, 5760L, 2), (state.Position.Step, state.Position.Tokens, state.Position.Growths.Count));
        Assert.Equal(MetricsTable.Number(_metrics.Rows[^1], "flops_layers"), state.Position.Flops.Layers);
        Assert.Equal(MetricsTable.Number(_metrics.Rows[^1], "seconds"), state.Position.Seconds);
    }

    [Fact]
    public void OldCheckpointsGo()
    {
        using var folder = new TemporaryFolder(inMemory: true);
        string run = folder.File("run");
        Assert.True(TinyRun.Go(run, TinyRun.Recipe));
        Assert.Equal(
            [Path.Combine(run, "checkpoints", "latest"), TinyRun.Checkpoint(run, 16), TinyRun.Checkpoint(run, 24)],
            Directory.GetFileSystemEntries(Path.Combine(run, "checkpoints")).Order(StringComparer.Ordinal));
        Assert.Equal(
            [".lock", "checkpoints", "metrics.csv", "recipe.yaml", "tensorboard"],
            Directory.GetFileSystemEntries(run).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(4, 1, "0,0,0,0")]
    [InlineData(12, 2, "0,0,1,1")]
    [InlineData(24, 4, "0,1,2,3")]
    public void EvaluationRunsTheFullDepthThroughTheMap(int step, int stored, string layers)
    {
        string checkpoint = TinyRun.Checkpoint(_run.Path, step);
        using TrainingState state = Read(checkpoint);
        Assert.Equal(stored, state.Model.Config.Layers);
        ForwardPlan plan = Checkpoint.FullDepthPlan(checkpoint, state.Model.Config);
        Assert.Equal(layers, string.Join(',', plan.StoredLayers));
        if (step % 12 == 0)
        {
            using TokenShard valid = TinyRun.Data.OpenValid();
            Assert.Equal(
                MetricsTable.Number(_metrics.At(step), "valid_loss"),
                new HeldOutLoss(new NextToken(), valid, 3, 200, Compute.Cpu).Measure(state.Model, plan).Loss);
        }
    }

    [Fact]
    public void AFolderWithoutAPositionIsEvaluatedAsItStands()
    {
        using var folder = new TemporaryFolder(inMemory: true);
        Assert.Equal([0, 1, 2], Checkpoint.FullDepthPlan(folder.Path, GrowthSample.Gpt2(3)).StoredLayers);
    }

    [Fact]
    public void ProgressEndsWhereTheRunEnds()
    {
        TrainingProgress[] steps = [.. _run.Heard.Where(heard => heard.Activity == TrainingActivity.Training)];
        Assert.Equal(Enumerable.Range(1, FinishedRun.Steps).Select(step => (long)step), steps.Select(heard => heard.Step));
        Assert.All(steps, heard => Assert.Equal(FinishedRun.Steps, heard.TotalSteps));
        Assert.Equal(TimeSpan.Zero, steps[^1].Remaining);
        Assert.True(steps[0].Remaining > TimeSpan.Zero);
        Assert.Equal(_metrics.Steps, steps.Where(heard => heard.Row is not null).Select(heard => heard.Step));
        Assert.Equal(5, _run.Heard.Count(heard => heard.Activity == TrainingActivity.Evaluating));
        Assert.Equal(15, _run.Heard.Count(heard => heard.Activity == TrainingActivity.Saving));
        Assert.Equal(TrainingActivity.Saved, _run.Heard[^1].Activity);
    }

    [Fact]
    public void TheSameCommandOnAFinishedRunChangesNothing()
    {
        using var folder = new TemporaryFolder(inMemory: true);
        string run = folder.File("run");
        Assert.True(TinyRun.Go(run, TinyRun.Recipe));
        Dictionary<string, string> before = TinyRun.Files(run);
        Assert.True(TinyRun.Go(run, TinyRun.Recipe));
        Assert.Equal(before, TinyRun.Files(run));
    }

    [Fact]
    public void TheRecipeIsKeptWithEveryKey() =>
        Assert.Empty(RecipeDifference.Describe(
            _run.Recipe, RecipeReader.Read(Path.Combine(_run.Path, "recipe.yaml"))));

    public static TheoryData<string, Recipe> RecipesThatDoNotFit
    {
        get
        {
            Recipe fits = TinyRun.Recipe;
            return new TheoryData<string, Recipe>
            {
                { "model.vocab_size is 200", fits with { Model = fits.Model with { VocabularySize = 200 } } },
                { "too few for a context of 100000", fits with { Model = fits.Model with { ContextLength = 100_000 } } },
                { "training.device: ", fits with { Training = fits.Training with { Device = "cuda:99" } } },
                {
                    "takes a tokenizer with [CLS]",
                    (fits with
                    {
                        Model = new BertConfig { Layers = 4, HiddenSize = 16, Heads = 2, ContextLength = 16 },
                    }).Resolve()
                },
            };
        }
    }

    [Theory]
    [MemberData(nameof(RecipesThatDoNotFit))]
    public void WhatDoesNotFitIsRefusedBeforeAnythingIsWritten(string says, Recipe recipe)
    {
        using var folder = new TemporaryFolder(inMemory: true);
        var exception = Assert.Throws<UserErrorException>(() => TinyRun.Go(folder.File("run"), recipe));
        Assert.Contains(says, exception.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    private static TrainingState Read(string checkpoint) => Checkpoint.Read(
        checkpoint, new AdamW(new AdamWConfig()), _ => throw new InvalidOperationException("its growths are in it"), Device.Cpu);
}
