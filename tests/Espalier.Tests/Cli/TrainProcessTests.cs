using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;
using Espalier.Recipes;
using Espalier.Tests.Data;
using Espalier.Tests.Training;
using Espalier.Training;

namespace Espalier.Tests.Cli;

/// <summary><c>espalier train</c> as a process that is killed, stopped, or finds the disk full.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class TrainProcessTests : IClassFixture<TrainProcessTests.WholeRun>, IDisposable
{
    private const int Steps = 300;

    private readonly WholeRun _whole;
    private readonly TemporaryFolder _folder = new();

    public TrainProcessTests(WholeRun whole) => _whole = whole;

    public void Dispose() => _folder.Dispose();

    /// <summary>The run that nothing interrupts, two growths and all.</summary>
    public sealed class WholeRun : IDisposable
    {
        private readonly TemporaryFolder _folder = new();

        public WholeRun()
        {
            RecipeFile = _folder.Write("tiny.yaml", RecipeWriter.Write(Recipe));
            using Process process = Train(RecipeFile, Path);
            (int code, string said) = End(process);
            Assert.True(code == 0, said);
        }

        public Recipe Recipe { get; } = TinyRun.Recipe with
        {
            Training = TinyRun.Recipe.Training with { Length = Duration.Steps(Steps) },
            Method = TinyRun.Recipe.Method with { Boundaries = [Duration.Steps(60), Duration.Steps(150)] },
            Checkpoint = new CheckpointConfig { Every = Duration.Steps(20) },
        };

        public string RecipeFile { get; }

        public string Path => _folder.File("run");

        public void Dispose() => _folder.Dispose();
    }

    [Fact]
    public void KilledStoppedAndKilledAgainItEndsAsIfNothingHadHappened()
    {
        string run = _folder.File("run");
        using (Process process = Train(_whole.RecipeFile, run))
        {
            WaitForRow(process, run, 35);
            var inUse = Assert.Throws<UserErrorException>(() => RunDirectory.Open(run, _whole.Recipe));
            Assert.Contains("in use", inUse.Message, StringComparison.Ordinal);
            process.Kill();
            Assert.Equal(137, End(process).Code);
        }

        long stoppedAt;
        using (Process process = Train(_whole.RecipeFile, run))
        {
            WaitForRow(process, run, 90);
            Process.Start("kill", ["-TERM", process.Id.ToString(CultureInfo.InvariantCulture)]).WaitForExit();
            (int code, string said) = End(process);
            Assert.True(code == 130, $"{code}: {said}");
            Assert.EndsWith("Stopped and saved. The same command goes on from there.\n", said, StringComparison.Ordinal);
            stoppedAt = new MetricsTable(run).Steps.Last();
            Assert.Equal($"step-{stoppedAt:D8}\n", File.ReadAllText(Path.Combine(run, "checkpoints", "latest")));
        }

        using (Process process = Train(_whole.RecipeFile, run))
        {
            WaitForRow(process, run, 170);
            process.Kill();
            Assert.Equal(137, End(process).Code);
        }

        FinishesLikeTheOther(run, stoppedAt);
    }

    /// <summary>A limit on the length of a file, in KiB, is a disk that is full for the larger files.</summary>
    [Theory]
    [InlineData(75, 20, "step-00000080", "step-00000060\n")]
    [InlineData(8, 300, "tensorboard", null)]
    public void AFullDiskIsOneMessageAndWhatWasWrittenStays(int limit, int checkpointEvery, string culprit, string? latest)
    {
        string run = _folder.File("run"), every = $"checkpoint.every={checkpointEvery} steps";
        using (Process process = Train(_whole.RecipeFile, run, limit, every))
        {
            (int code, string said) = End(process);
            Assert.True(code == 1, $"{code}: {said}");
            string[] lines = said.TrimEnd('\n').Split('\n');
            Assert.Single(lines, line => line.StartsWith("error: ", StringComparison.Ordinal) && line.Contains(culprit, StringComparison.Ordinal));
            Assert.StartsWith("HINT: Free some space", lines[^1], StringComparison.Ordinal);
            Assert.DoesNotContain("   at ", said, StringComparison.Ordinal);
        }

        string checkpoints = Path.Combine(run, "checkpoints");
        string latestFile = Path.Combine(checkpoints, "latest");
        Assert.Equal(latest, File.Exists(latestFile) ? File.ReadAllText(latestFile) : null);
        Assert.Equal(
            latest is null ? [] : ["latest", "step-00000040", "step-00000060"],
            Directory.GetFileSystemEntries(checkpoints).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        var metrics = new MetricsTable(run);
        var whole = new MetricsTable(_whole.Path);
        Assert.NotEmpty(metrics.Rows);
        Assert.Equal(whole.Steps.Where(step => checkpointEvery == 20 || step % 5 == 0).Take(metrics.Rows.Count), metrics.Steps);

        if (latest is not null)
        {
            FinishesLikeTheOther(run, stoppedAt: null);
        }
    }

    private void FinishesLikeTheOther(string run, long? stoppedAt)
    {
        using (Process process = Train(_whole.RecipeFile, run))
        {
            (int code, string said) = End(process);
            Assert.True(code == 0, said);
        }

        TinyRun.SameWeights(TinyRun.Checkpoint(_whole.Path, Steps), TinyRun.Checkpoint(run, Steps));
        long[] expected = [.. new MetricsTable(_whole.Path).Steps];
        Assert.Equal(expected.Union(stoppedAt is long step ? [step] : []).Order(), new MetricsTable(run).Steps);
    }

    private static Process Train(string recipe, string run, int? fileLimit = null, params string[] overrides)
    {
        // Beyond the limit a process is sent SIGXFSZ; ignored, it gets the error that it would get from a full disk.
        string limit = fileLimit is int kibibytes ? $"trap '' XFSZ; ulimit -f {kibibytes}; " : "";
        string program = Path.Combine(AppContext.BaseDirectory, "Espalier.Cli.dll");
        var start = new ProcessStartInfo("bash", ["-c", limit + "exec \"$@\"", "bash", "dotnet", program, "train", recipe, "--run", run, .. overrides])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        start.Environment["OMP_NUM_THREADS"] = "1";

        // The runtime keeps compiled code in a file, which the limit would be for, too.
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0";
        return Process.Start(start)!;
    }

    private static (int Code, string Said) End(Process process)
    {
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        process.WaitForExit();
        return (process.ExitCode, output.Result + error.Result);
    }

    private static void WaitForRow(Process process, string run, long step)
    {
        string metrics = Path.Combine(run, "metrics.csv");
        while (!File.Exists(metrics) || File.ReadLines(metrics).Skip(1).Select(StepOf).LastOrDefault() < step)
        {
            Assert.False(process.HasExited, $"the run ended before step {step}");
            Thread.Sleep(2);
        }

        // The last row may be half written.
        static long StepOf(string row) =>
            row.Contains(',', StringComparison.Ordinal) ? long.Parse(row.Split(',')[0], CultureInfo.InvariantCulture) : 0;
    }
}
