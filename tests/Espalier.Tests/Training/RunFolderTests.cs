using System.Text;
using Espalier.Configuration;
using Espalier.Optimization;
using Espalier.Tests.Data;
using Espalier.Tests.Growth;
using Espalier.Training;

namespace Espalier.Tests.Training;

/// <summary>Folders that are not what a run expects: one message that names the culprit, and nothing changed.</summary>
public sealed class RunFolderTests : IClassFixture<RunFolderTests.StoppedRun>, IDisposable
{
    private readonly StoppedRun _stopped;
    private readonly TemporaryFolder _folder = new(inMemory: true);

    public RunFolderTests(StoppedRun stopped) => _stopped = stopped;

    public void Dispose() => _folder.Dispose();

    /// <summary>A run that was stopped after 8 steps, its 2 layers having grown from 1.</summary>
    public sealed class StoppedRun : IDisposable
    {
        private readonly TemporaryFolder _folder = new(inMemory: true);

        public StoppedRun() => Assert.False(TinyRun.Go(Path, TinyRun.Recipe, stopAfter: 8));

        public string Path => _folder.File("run");

        public void Dispose() => _folder.Dispose();
    }

    /// <summary>A person keeps a checkpoint under a name of his own: it is neither pruned nor taken for one of the run.</summary>
    [Fact]
    public void OnlyTheRunsOwnCheckpointsArePruned()
    {
        string run = _folder.File("run");
        string[] kept = ["step-00000008-mine", "step-8", "step-0000000x", "step-000000009", "before-step-00000008"];
        foreach (string name in kept)
        {
            _folder.Write($"run/checkpoints/{name}/thesis.txt", "mine");
        }

        _folder.Write("run/recipe.yaml", RecipeWriter.Write(TinyRun.Recipe));
        Assert.True(TinyRun.Go(run, TinyRun.Recipe));
        Assert.Equal(
            kept.Concat(["latest", "step-00000016", "step-00000024"]).Order(StringComparer.Ordinal),
            Directory.GetFileSystemEntries(Path.Combine(run, "checkpoints")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(
            [TinyRun.Checkpoint(run, 16), TinyRun.Checkpoint(run, 24)], RunDirectory.CheckpointsOf(run));
    }

    [Fact]
    public void ARunIsInUseWhileItIsOpen()
    {
        string run = _folder.File("run");
        Assert.False(RunDirectory.IsInUse(run));
        using (RunDirectory.Open(run, TinyRun.Recipe))
        {
            Assert.True(RunDirectory.IsInUse(run));
        }

        Assert.False(RunDirectory.IsInUse(run));
    }

    /// <summary>What would be saved at the old place, nobody would look for.</summary>
    [Theory]
    [InlineData("moved")]
    [InlineData("deleted")]
    [InlineData("replaced")]
    public void ARunWhoseFolderIsGoneStopsAtItsNextSave(string how)
    {
        string run = _folder.File("run"), elsewhere = _folder.File("elsewhere");
        var error = Assert.Throws<UserErrorException>(() => TrainingRun.Run(TinyRun.Recipe, run, progress =>
        {
            if (progress is { Step: 10, Activity: TrainingActivity.Training })
            {
                Directory.Move(run, elsewhere);
                if (how == "deleted")
                {
                    Directory.Delete(elsewhere, recursive: true);
                }
                else if (how == "replaced")
                {
                    _folder.Write("run/.lock", "");
                }
            }
        }));
        Assert.Contains($"{run} was deleted or moved", error.Message, StringComparison.Ordinal);
        string[] left = Directory.Exists(run) ? [.. TinyRun.Files(run).Keys] : [];
        Assert.Equal(how == "replaced" ? [".lock"] : [], left);
        if (how == "moved")
        {
            Assert.True(TrainingRun.Run(TinyRun.Recipe, elsewhere).IsFinished);
        }
    }

    public static TheoryData<string, string> DamagedFiles => new()
    {
        { "config.json", "" },
        { "config.json", "{" },
        { "config.json", "[]" },
        { "config.json", "{}" },
        { "config.json", "{\"model_type\": \"bert\"}" },
        { "config.json", "{\"model_type\": \"gpt2\", \"model_type\": \"gpt2\"}" },
        { "config.json", "half" },
        { "config.json", "none" },
        { "config.json", "replace|\"n_head\": 2|\"n_head\": 4" },
        { "config.json", "replace|\"n_head\": 2|\"n_head\": 0" },
        { "config.json", "replace|\"n_layer\": 2|\"n_layer\": \"two\"" },
        { "config.json", "replace|\"attn_pdrop\": 0.0|\"attn_pdrop\": 0.5" },
        { "model.safetensors", "" },
        { "model.safetensors", "this is no safetensors file, but long enough for its header" },
        { "model.safetensors", "half" },
        { "model.safetensors", "less one" },
        { "model.safetensors", "none" },
        { "model.safetensors", "copy|optimizer.safetensors" },
        { "model.safetensors", "replace|\"transformer.h.1.ln_1.bias\"|\"transformer.h.7.ln_1.bias\"" },
        { "model.safetensors", "replace|\"transformer.ln_f.bias\":{\"dtype\":\"F32\"|\"transformer.ln_f.bias\":{\"dtype\":\"I32\"" },
        { "optimizer.safetensors", "" },
        { "optimizer.safetensors", "half" },
        { "optimizer.safetensors", "less one" },
        { "optimizer.safetensors", "none" },
        { "optimizer.safetensors", "copy|model.safetensors" },
        { "training_state.json", "" },
        { "training_state.json", "null" },
        { "training_state.json", "{}" },
        { "training_state.json", "half" },
        { "training_state.json", "none" },
        { "training_state.json", "replace|\"format\": 2|\"format\": 99" },
        { "training_state.json", "replace|\"step\": 8|\"step\": -8" },
        { "training_state.json", "replace|\"step\": 8|\"step\": 8.5" },
        { "training_state.json", "replace|\"step\": 8|\"step\": 99999" },
        { "training_state.json", "replace|\"step\": 8|\"step\": 99999999999999999999" },
        { "training_state.json", "replace|\"step\": 8|\"step\": null" },
        { "training_state.json", "replace|\"growths\": [|\"growths\": [ null," },
        { "training_state.json", "replace|\"growths\": [|\"growths_of\": [" },
        { "training_state.json", "replace|\"step\": 6,|\"step\": 5," },
        { "training_state.json", "replace|copy-layers 2|copy-layers 3" },
        { "training_state.json", "replace|moments keep|moments map" },
        { "training_state.json", "replace|\"transformer.h.1.ln_1.bias\"|\"transformer.h.7.ln_1.bias\"" },
        { "latest", "" },
        { "latest", "step-00000099" },
        { "latest", "../checkpoints" },
        { "latest", "\u0001\u0002\u0000\u00ff" },
    };

    [Theory]
    [MemberData(nameof(DamagedFiles))]
    public void ADamagedCheckpointIsNamedAndLeftAlone(string file, string damage)
    {
        string run = Copy();
        string path = Path.Combine(file == "latest" ? Path.Combine(run, "checkpoints") : TinyRun.Checkpoint(run, 8), file);
        byte[] sound = File.ReadAllBytes(path);
        Damage(path, sound, damage);
        Checksums.Write(TinyRun.Checkpoint(run, 8));
        Dictionary<string, string> before = TinyRun.Files(run);

        var exception = Assert.Throws<UserErrorException>(() => TinyRun.Go(run, TinyRun.Recipe));
        Assert.Contains(file, exception.Message, StringComparison.Ordinal);
        Assert.Contains(run, exception.Message, StringComparison.Ordinal);
        Assert.Equal(before, TinyRun.Files(run));

        File.WriteAllBytes(path, sound);
        Checksums.Write(TinyRun.Checkpoint(run, 8));
        Assert.False(TinyRun.Go(run, TinyRun.Recipe, stopAfter: 9));
    }

    [Theory]
    [InlineData("\"full_depth_layers\": [", "\"full_depth_layers\": [ 9,")]
    [InlineData("\"full_depth_layers\": [", "\"full_depth_layers\": [ -1,")]
    [InlineData("\"full_depth_layers\": [", "\"full_depth_layers\": [ {},")]
    [InlineData("\"full_depth_layers\": [", "\"full_depth_layers_of\": [")]
    public void AFullDepthPlanOfLayersThatAreNotThereIsRefused(string old, string changed)
    {
        string checkpoint = TinyRun.Checkpoint(Copy(), 8), path = Path.Combine(checkpoint, "training_state.json");
        Assert.Equal([0, 0, 1, 1], Checkpoint.FullDepthPlan(checkpoint, GrowthSample.Gpt2(2)).StoredLayers);
        string json = File.ReadAllText(path);
        Assert.Contains(old, json, StringComparison.Ordinal);
        File.WriteAllText(path, json.Replace(old, changed, StringComparison.Ordinal));
        var exception = Assert.Throws<UserErrorException>(() => Checkpoint.FullDepthPlan(checkpoint, GrowthSample.Gpt2(2)));
        Assert.Contains(path, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ARunOfAnotherRecipeIsNamedWithBothValues()
    {
        string run = Copy();
        Dictionary<string, string> before = TinyRun.Files(run);
        Recipe other = TinyRun.Recipe with
        {
            Seed = 8,
            Training = TinyRun.Recipe.Training with { MicroBatch = 5 },
        };
        var exception = Assert.Throws<UserErrorException>(() => TinyRun.Go(run, other));
        Assert.Equal(
            $"{run} is the run of another recipe:\n  seed: 7 in the run, 8 in the recipe\n"
            + "  training.micro_batch: 3 in the run, 5 in the recipe",
            exception.Message);
        Assert.Equal(before, TinyRun.Files(run));
    }

    /// <summary>It was killed, or diverged, before its first checkpoint: there is nothing to go on from.</summary>
    [Fact]
    public void ARunWithoutACheckpointMakesRoomForAnother()
    {
        string run = _folder.File("run");
        Recipe diverging = TinyRun.Recipe with
        {
            LearningRate = new LearningRateConfig
            {
                Peak = 1e30, Schedule = LearningRateSchedule.Constant, Warmup = Duration.Steps(0),
            },
            Logging = new LoggingConfig { Every = Duration.Steps(1) },
        };
        Assert.Contains(
            "diverged", Assert.Throws<UserErrorException>(() => TinyRun.Go(run, diverging)).Message, StringComparison.Ordinal);
        string[] events = Directory.GetFiles(Path.Combine(run, "tensorboard"));
        Assert.NotEmpty(events);
        Assert.True(File.ReadLines(Path.Combine(run, "metrics.csv")).Count() > 1);

        using (RunDirectory.Open(run, TinyRun.Recipe))
        {
            Assert.Equal([".lock", "recipe.yaml"], TinyRun.Files(run).Keys.Order(StringComparer.Ordinal));
        }

        Assert.Empty(RecipeDifference.Describe(TinyRun.Recipe, RecipeReader.Read(Path.Combine(run, "recipe.yaml"))));
        Assert.False(TinyRun.Go(run, TinyRun.Recipe, stopAfter: 8));
    }

    [Fact]
    public void ARunWithoutACheckpointThatIsUnderWayIsLeftAlone()
    {
        string run = _folder.File("run");
        using (RunDirectory.Open(run, TinyRun.Recipe))
        {
            Dictionary<string, string> before = TinyRun.Files(run);
            var exception = Assert.Throws<UserErrorException>(
                () => RunDirectory.Open(run, TinyRun.Recipe with { Seed = 8 }));
            Assert.Equal($"{run} is in use by another process.", exception.Message);
            Assert.Equal(before, TinyRun.Files(run));
        }
    }

    /// <summary>A recipe of a person's own, a checkpoint that a kill left unnamed, metrics that were kept alone.</summary>
    [Theory]
    [InlineData("own recipe")]
    [InlineData("unnamed checkpoint")]
    [InlineData("metrics alone")]
    public void WhatIsNotVoidIsNotReplaced(string what)
    {
        string run = Copy(), checkpoints = Path.Combine(run, "checkpoints"), recipe = Path.Combine(run, "recipe.yaml");
        File.Delete(Path.Combine(checkpoints, "latest"));
        if (what != "unnamed checkpoint")
        {
            Directory.Delete(TinyRun.Checkpoint(run, 8), recursive: true);
        }

        switch (what)
        {
            case "own recipe":
                File.WriteAllText(recipe, "# mine\n" + File.ReadAllText(recipe));
                break;
            case "metrics alone":
                Directory.Delete(checkpoints);
                break;
        }

        Dictionary<string, string> before = TinyRun.Files(run);
        var exception = Assert.Throws<UserErrorException>(() => TinyRun.Go(run, TinyRun.Recipe with { Seed = 8 }));
        Assert.Contains("is the run of another recipe", exception.Message, StringComparison.Ordinal);
        Assert.Equal(before, TinyRun.Files(run));
    }

    [Fact]
    public void AFolderOfOtherThingsIsLeftAlone()
    {
        _folder.Write("home/diary.txt", "dear diary");
        var exception = Assert.Throws<UserErrorException>(() => TinyRun.Go(_folder.File("home"), TinyRun.Recipe));
        Assert.Equal($"{_folder.File("home")} holds other files, but no run.", exception.Message);
        Assert.Equal(["diary.txt"], TinyRun.Files(_folder.File("home")).Keys);
    }

    [Fact]
    public void AFileIsNoRunFolder()
    {
        _folder.Write("file", "x");
        var exception = Assert.Throws<UserErrorException>(() => TinyRun.Go(_folder.File("file"), TinyRun.Recipe));
        Assert.Contains(_folder.File("file"), exception.Message, StringComparison.Ordinal);
        Assert.NotNull(exception.Hint);
    }

    [Fact]
    public void ARunHasOneOwnerAtATime()
    {
        string run = Copy();
        using (RunDirectory.Open(run, TinyRun.Recipe))
        {
            var exception = Assert.Throws<UserErrorException>(() => RunDirectory.Open(run, TinyRun.Recipe));
            Assert.Equal($"{run} is in use by another process.", exception.Message);
        }

        RunDirectory.Open(run, TinyRun.Recipe).Dispose();
    }

    [Fact]
    public void ADamagedRecipeOfTheRunIsNamed()
    {
        string run = Copy(), recipe = Path.Combine(run, "recipe.yaml");
        File.WriteAllText(recipe, File.ReadAllText(recipe)[..40]);
        var exception = Assert.Throws<UserErrorException>(() => TinyRun.Go(run, TinyRun.Recipe));
        Assert.Contains(recipe, exception.Message, StringComparison.Ordinal);
    }

    private static void Damage(string path, byte[] sound, string damage)
    {
        string[] parts = damage.Split('|');
        switch (parts[0])
        {
            case "none":
                File.Delete(path);
                break;
            case "half":
                File.WriteAllBytes(path, sound[..(sound.Length / 2)]);
                break;
            case "less one":
                File.WriteAllBytes(path, sound[..^1]);
                break;
            case "copy":
                File.Copy(Path.Combine(Path.GetDirectoryName(path)!, parts[1]), path, overwrite: true);
                break;
            case "replace":
                // Latin-1 keeps every byte.
                string text = Encoding.Latin1.GetString(sound);
                Assert.Contains(parts[1], text, StringComparison.Ordinal);
                File.WriteAllBytes(path, Encoding.Latin1.GetBytes(text.Replace(parts[1], parts[2], StringComparison.Ordinal)));
                break;
            default:
                File.WriteAllText(path, damage);
                break;
        }
    }

    private string Copy()
    {
        foreach ((string name, string content) in TinyRun.Files(_stopped.Path))
        {
            _folder.Write("run/" + name, Convert.FromHexString(content));
        }

        return _folder.File("run");
    }
}
