using System.Text.Json.Nodes;
using Espalier.Configuration;
using Espalier.Tests.Data;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Tests.Training;

/// <summary><c>run.json</c> tells each start of a run, what computed it and how it ended.</summary>
[Collection(LibtorchGenerator.Name)]
public sealed class RunLogTests : IDisposable
{
    private readonly TemporaryFolder _folder = new(inMemory: true);
    private readonly int _threads = Engine.Threads;

    public void Dispose()
    {
        Engine.Threads = _threads;
        _folder.Dispose();
    }

    [Fact]
    public void EachStartTellsWhatRanAndHowItEnded()
    {
        string run = _folder.File("run");
        Go(run, stopAfter: 9);
        Go(run, stopAfter: long.MaxValue);
        JsonObject log = Log(run);
        Assert.Equal(1, (int)log["format"]!);
        JsonArray starts = log["starts"]!.AsArray();
        Assert.Equal(["stopped", "finished"], starts.Select(start => (string)start!["end"]!));
        Assert.Equal([0, 9], starts.Select(start => (int)start!["step_before"]!));
        Assert.Equal([9, 24], starts.Select(start => (int)start!["step_after"]!));
        Assert.All(starts, start =>
        {
            JsonNode machine = start!["machine"]!;
            Assert.Equal("cpu", (string)machine["device"]!);
            Assert.Equal("f32", (string)machine["precision"]!);
            Assert.Equal(Engine.Threads, (int)machine["threads"]!);
            Assert.Equal(Engine.TorchVersion, (string)machine["libtorch"]!["version"]!);
            Assert.Equal(Engine.BlasPath, (string)machine["blas"]!["path"]!);
            Assert.Equal(Environment.MachineName, (string)machine["host"]!);
            Assert.StartsWith("0.", (string)machine["espalier"]!, StringComparison.Ordinal);
            Assert.Equal(Environment.GetCommandLineArgs(), start["command"]!.AsArray().Select(word => (string)word!));
            Assert.True(DateTimeOffset.Parse((string)start["began"]!, System.Globalization.CultureInfo.InvariantCulture)
                <= DateTimeOffset.Parse((string)start["ended"]!, System.Globalization.CultureInfo.InvariantCulture));
        });

        // A run that is at its end starts nothing.
        string before = File.ReadAllText(Path.Combine(run, "run.json"));
        Go(run, stopAfter: long.MaxValue);
        Assert.Equal(before, File.ReadAllText(Path.Combine(run, "run.json")));
    }

    [Fact]
    public void AnErrorIsToldAndAKillIsFoundLater()
    {
        string run = _folder.File("run");
        Assert.Throws<InvalidOperationException>(() => TrainingRun.Run(
            TinyRun.Recipe, run, progress => throw new InvalidOperationException("a listener fell over")));
        JsonObject log = Log(run);
        Assert.Equal("error", (string)log["starts"]![0]!["end"]!);
        Assert.Equal("a listener fell over", (string)log["starts"]![0]!["error"]!);

        // What a killed process leaves behind.
        JsonObject start = log["starts"]![0]!.AsObject();
        foreach (string key in new[] { "end", "ended", "error", "step_after" })
        {
            start.Remove(key);
        }

        File.WriteAllText(Path.Combine(run, "run.json"), log.ToJsonString());
        Go(run, stopAfter: 3);
        Assert.Equal(["killed", "stopped"], Log(run)["starts"]!.AsArray().Select(entry => (string)entry!["end"]!));
    }

    [Fact]
    public void ARunThatGoesOnElsewhereWarnsOnceOfWhatMayChangeItsBytes()
    {
        string run = _folder.File("run");
        Engine.Threads = 1;
        Assert.Empty(Go(run, stopAfter: 5));
        Assert.Empty(Go(run, stopAfter: 9));
        Engine.Threads = 2;
        JsonObject log = Log(run);
        log["starts"]![1]!["machine"]!["libtorch"]!["version"] = "0.9";
        File.WriteAllText(Path.Combine(run, "run.json"), log.ToJsonString());
        Assert.Equal(
            [$"{run} goes on with threads 2 (before: 1), libtorch {Engine.TorchVersion} (before: 0.9): from here on its bytes may be others than those of an uninterrupted run."],
            Go(run, stopAfter: 12));
        Assert.Empty(Go(run, stopAfter: 14));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("{}")]
    [InlineData("{\"format\": 9, \"starts\": []}")]
    [InlineData("{\"format\": 1, \"starts\": null}")]
    public void ADamagedLogIsNamed(string content)
    {
        string run = _folder.File("run");
        Go(run, stopAfter: 3);
        _folder.Write("run/run.json", content);
        var exception = Assert.Throws<UserErrorException>(() => Go(run, stopAfter: 5));
        Assert.Contains("run.json", exception.Message, StringComparison.Ordinal);
        File.Delete(Path.Combine(run, "run.json"));
        Assert.Empty(Go(run, stopAfter: 5));
    }

    [Fact]
    public void ABranchTellsItsTrunk()
    {
        string trunk = _folder.File("trunk"), branch = _folder.File("branch");
        Go(trunk, stopAfter: 8);
        Recipe recipe = TinyRun.Recipe with { Checkpoint = new CheckpointConfig { Every = Duration.Steps(4) } };
        TrainingRun.Run(recipe, branch, options: new RunOptions { From = $"{trunk}@8" });
        JsonNode from = Log(branch)["from"]!;
        Assert.Equal(trunk, (string)from["run"]!);
        Assert.Equal(8, (int)from["step"]!);
        Assert.Equal(
            File.ReadLines(Path.Combine(TinyRun.Checkpoint(trunk, 8), "SHA256SUMS")).Single(line => line.EndsWith("  model.safetensors", StringComparison.Ordinal))[..64],
            (string)from["weights"]!);
        Assert.Equal(8, (int)Log(branch)["starts"]![0]!["step_before"]!);
    }

    private static JsonObject Log(string run) => JsonNode.Parse(File.ReadAllText(Path.Combine(run, "run.json")))!.AsObject();

    /// <summary>Runs, and gives what was warned of.</summary>
    private static List<string> Go(string run, long stopAfter)
    {
        List<string> warnings = [];
        using var stop = new CancellationTokenSource();
        TrainingRun.Run(
            TinyRun.Recipe, run,
            progress =>
            {
                if (progress.Step >= stopAfter)
                {
                    stop.Cancel();
                }
            },
            stop.Token, new RunOptions { Warn = warnings.Add });
        return warnings;
    }
}
