using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Tests.Data;
using Espalier.Training;

namespace Espalier.Tests.Training;

/// <summary>What a run says and needs before its first update.</summary>
public sealed class RunOutlineTests : IDisposable
{
    private readonly TemporaryFolder _folder = new(inMemory: true);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ARunTellsWhatItWillDoAndDoesIt()
    {
        Recipe recipe = (TinyRun.Recipe with
        {
            Method = new LateGrowthConfig { Stages = [1, 4], Boundaries = [Duration.Percent(50)] },
            Checkpoint = new CheckpointConfig { Every = Duration.Steps(5), Keep = 2, At = [Duration.Steps(3), Duration.Steps(18)] },
        }).Resolve();
        string run = _folder.File("run");
        List<RunOutline> outlines = [];
        double most = 0;
        RunResult result = TrainingRun.Run(
            recipe, run, progress => most = progress.Activity == TrainingActivity.Saved ? Math.Max(most, Bytes(run)) : most,
            options: new RunOptions { Begins = outlines.Add });
        RunOutline outline = Assert.Single(outlines);
        MetricsRow last = MetricsCsv.Parse("metrics.csv", File.ReadAllText(Path.Combine(run, "metrics.csv")))[^1];

        // GPT-2: 12 C^2 + 13 C a layer, and outside 2 C, the positions and the vocabulary.
        double layer = (12 * 16 * 16) + (13 * 16), outside = (2 * 16) + (16 * 16) + (257 * 16);
        Assert.Equal((4 * layer) + outside, outline.Parameters);
        Assert.Equal(layer + outside, outline.FirstParameters);
        Assert.Equal(96, outline.TokensPerStep);
        Assert.Equal(TinyRun.Steps, outline.TotalSteps);
        Assert.Equal(last.Tokens / (double)TinyRun.Data.Train.Tokens, outline.Passes, 12);
        Assert.Equal(last.Flops.Total, outline.Flops, last.Flops.Total * 1e-9);
        Assert.Equal("cpu", outline.Device);
        Assert.Equal("f32", outline.Precision);
        Assert.True(outline.Memory > 16 * outline.Parameters);

        // Weights and two moments; checkpoints also hold a tokenizer and some JSON. While one is written there are three of the newest.
        double small = 12 * outline.FirstParameters, large = 12 * outline.Parameters;
        Assert.Equal((3 * large) + small + large, outline.Disk);
        Assert.InRange(most, 0.9 * (outline.Disk - large), 1.2 * (outline.Disk - large));
        Assert.InRange(result.Loss!.Value, last.TrainLoss!.Value, Math.Log(257) + 0.5);
        Assert.Equal(last.ValidLoss, result.ValidLoss);

        // A run at its end has nothing to announce.
        Assert.Equal(RunEnd.ReachedBefore, TrainingRun.Run(recipe, run, options: new RunOptions { Begins = outlines.Add }).End);
        Assert.Single(outlines);
    }

    [Fact]
    public void WhatCannotFitIsRefusedWithTheFigures()
    {
        RunOutline outline = TrainingRun.Check(TinyRun.Recipe, _folder.File("run"));
        outline.RequireRoom();
        var memory = Assert.Throws<UserErrorException>((outline with { FreeMemory = 100 << 10 }).RequireRoom);
        Assert.Matches("The run needs .* KiB of memory or more, and 100 KiB are free", memory.Message);
        Assert.Contains("training.micro_batch", memory.Hint, StringComparison.Ordinal);
        var disk = Assert.Throws<UserErrorException>((outline with { FreeDisk = 100 << 10 }).RequireRoom);
        Assert.Matches("The checkpoints of the run need .* on disk, and 100 KiB are free: 3 at once of .* KiB to .* KiB each", disk.Message);
        (outline with { FreeMemory = null, FreeDisk = null }).RequireRoom();

        // A run on a GPU, whose checkpoints are copied into the processor's memory.
        RunOutline copied = outline with { HostCopy = 200 << 10, FreeHostMemory = 100 << 10 };
        var copy = Assert.Throws<UserErrorException>(copied.RequireRoom);
        Assert.Contains("needs 200 KiB of the processor's memory, and 100 KiB are free", copy.Message, StringComparison.Ordinal);
        Assert.Contains("checkpoint.background=false", copy.Hint, StringComparison.Ordinal);
        (copied with { FreeHostMemory = 200 << 10 }).RequireRoom();

        // Attention that keeps its weights is a doubt, and no reason to refuse.
        Assert.Null(outline.Doubt);
        Assert.Contains("may need", (outline with { FreeMemory = outline.Memory - 1 }).Doubt, StringComparison.Ordinal);
        (outline with { FreeMemory = outline.Memory - 1 }).RequireRoom();
    }

    [Fact]
    public void ARunLargerThanTheMachineDoesNotBegin()
    {
        Recipe recipe = TinyRun.Recipe with { Training = TinyRun.Recipe.Training with { MicroBatch = 1 << 16 } };
        recipe = (recipe with { Model = recipe.Model with { HiddenSize = 1 << 12, ContextLength = 16, Layers = 96 }, Method = new ScratchConfig() }).Resolve();
        string run = _folder.File("run");
        var exception = Assert.Throws<UserErrorException>(() => TrainingRun.Run(recipe, run));
        Assert.Contains("of memory or more", exception.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(run));
    }

    [Fact]
    public void ACheckWritesNothingAndRefusesWhatARunWouldRefuse()
    {
        string run = _folder.File("run"), other = _folder.File("other");
        Assert.Equal(0, TrainingRun.Check(TinyRun.Recipe, run).Step);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));

        Assert.False(TinyRun.Go(run, TinyRun.Recipe, stopAfter: 9));
        Dictionary<string, string> before = TinyRun.Files(run);
        Assert.Equal(9, TrainingRun.Check(TinyRun.Recipe, run).Step);
        Assert.Throws<UserErrorException>(() => TrainingRun.Check(TinyRun.Recipe with { Seed = 8 }, run));
        Assert.Throws<UserErrorException>(() => TrainingRun.Check(TinyRun.Recipe, run, new RunOptions { From = "nowhere@5" }));
        Assert.Equal(before, TinyRun.Files(run));

        Recipe longer = TinyRun.Recipe with { From = run };
        Assert.Throws<UserErrorException>(() => TrainingRun.Check(longer, other));
        Assert.Equal(8, TrainingRun.Check(TinyRun.Recipe, other, new RunOptions { From = run + "@8" }).Step);
        _folder.Write("other/diary.txt", "dear diary");
        Assert.Throws<UserErrorException>(() => TrainingRun.Check(TinyRun.Recipe, other));
        Assert.Equal(["diary.txt"], TinyRun.Files(other).Keys);
    }

    [Fact]
    public void ALossFarAboveAGuessIsToldOnce()
    {
        var watch = new LossWatch(257);
        Assert.Equal(Math.Log(257), watch.Guess);
        int[] told = [.. Enumerable.Range(0, 500).Where(i => watch.Tells(i == 60 ? 1 : watch.Guess + 1.5))];
        Assert.Equal([160], told);
        Assert.DoesNotContain(true, Enumerable.Range(0, 500).Select(_ => new LossWatch(257).Tells(Math.Log(257) + 0.5)));

        List<string> warnings = [];
        Recipe wild = TinyRun.Recipe with
        {
            Training = TinyRun.Recipe.Training with { Length = Duration.Steps(160) },
            LearningRate = TinyRun.Recipe.LearningRate with { Peak = 30 },
        };
        TrainingRun.Run(wild.Resolve(), _folder.File("wild"), options: new RunOptions { Warn = warnings.Add });
        Assert.Contains("a guess among 257 tokens has 5.55", Assert.Single(warnings), StringComparison.Ordinal);
    }

    private static double Bytes(string run) => RunDirectory.CheckpointsOf(run)
        .SelectMany(checkpoint => Directory.EnumerateFiles(checkpoint, "*.safetensors")).Sum(file => (double)new FileInfo(file).Length);
}
