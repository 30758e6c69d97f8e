using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;
using Espalier.Configuration;
using Espalier.Tests.Data;
using Espalier.Tests.Training;
using Espalier.Training;
using static Espalier.Tests.Cli.ProgramProcess;

namespace Espalier.Tests.Cli;

/// <summary><c>espalier train</c> as a process that is killed, stopped, or finds the disk full.</summary>
[UnsupportedOSPlatform("windows")]
[Trait("Kind", "Process")]
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
            Method = TinyRun.Apollo with { Boundaries = [Duration.Steps(60), Duration.Steps(150)] },
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

        using (Process process = Train(_whole.RecipeFile, run))
        {
            (int code, string said) = End(process);
            Assert.True(code == 0, said);
        }

        TinyRun.SameWeights(TinyRun.Checkpoint(_whole.Path, Steps), TinyRun.Checkpoint(run, Steps));
        long[] expected = [.. new MetricsTable(_whole.Path).Steps];
        Assert.Equal(expected.Union([stoppedAt]).Order(), new MetricsTable(run).Steps);
    }

    /// <summary>A broken ssh line, which says so twice, and a batch system's warning.</summary>
    [Theory]
    [InlineData("-HUP", "-HUP")]
    [InlineData("-USR1", "-TERM")]
    public void SignalsThatAnnounceTheEndSaveAndLeave(params string[] signals)
    {
        string run = _folder.File("run");
        using Process process = Train(_whole.RecipeFile, run);
        WaitForRow(process, run, 35);
        foreach (string signal in signals)
        {
            Process.Start("kill", [signal, process.Id.ToString(CultureInfo.InvariantCulture)]).WaitForExit();
        }

        (int code, string said) = End(process);
        Assert.True(code == 130, $"{code}: {said}");
        Assert.Contains("Stopped and saved.", said, StringComparison.Ordinal);
        Assert.Equal(
            $"step-{new MetricsTable(run).Steps.Last():D8}\n", File.ReadAllText(Path.Combine(run, "checkpoints", "latest")));
    }

    /// <summary>nohup says that the end of the terminal is no reason to stop.</summary>
    [Fact]
    public void ARunUnderNohupGoesOn()
    {
        string run = _folder.File("run");
        using Process process = Start(["nohup", .. Command(_whole.RecipeFile, run)]);
        WaitForRow(process, run, 35);
        Process.Start("kill", ["-HUP", process.Id.ToString(CultureInfo.InvariantCulture)]).WaitForExit();
        (int code, string said) = End(process);
        Assert.True(code == 0, $"{code}: {said}");
    }

    /// <summary>What nobody can read is lost; the run is not.</summary>
    [Theory]
    [InlineData("exec \"$@\" >/dev/full 2>&1")]
    [InlineData("\"$@\" 2>&1 | true; exit ${PIPESTATUS[0]}")]
    public void StreamsThatCannotBeWrittenEndNoRun(string script)
    {
        string run = _folder.File("run");
        using Process process = Start(["bash", "-c", script, "bash", .. Command(_whole.RecipeFile, run)]);
        Assert.Equal((0, ""), End(process));
        TinyRun.SameWeights(TinyRun.Checkpoint(_whole.Path, Steps), TinyRun.Checkpoint(run, Steps));
        Assert.Equal(new MetricsTable(_whole.Path).Steps, new MetricsTable(run).Steps);
    }

    /// <summary>A result that could not be told is no success.</summary>
    [Fact]
    public void AResultThatCannotBePrintedIsAFailure()
    {
        using Process process = Start(
            ["bash", "-c", "exec \"$@\" >/dev/full", "bash", DotNet, CommandLineProgram, "compare", _whole.Path]);
        (int code, string said) = End(process);
        Assert.Equal(1, code);
        Assert.StartsWith("error: stdout cannot be written: No space left on device", said, StringComparison.Ordinal);
    }

    [Fact]
    public void ARefusedCommandIsNoObstacleAndAFinishedRunSaysSo()
    {
        string run = _folder.File("run");
        using (Process process = Start(Command(_whole.RecipeFile, run, "model.vocab_size=100")))
        {
            (int code, string said) = End(process);
            Assert.True(code == 1, said);
            Assert.Contains("model.vocab_size is 100", said, StringComparison.Ordinal);
            Assert.False(Directory.Exists(run));
        }

        using (Process process = Train(_whole.RecipeFile, _whole.Path))
        {
            Assert.Equal((0, $"{_whole.Path} is finished: 300 steps\n"), End(process));
        }
    }

    /// <summary>
    /// The disk, which had room as the run began, fills at the first checkpoint of 4 layers; or, where every step has a row and no checkpoint
    /// is due, at a row. Then there is room again, and the same command goes on.
    /// </summary>
    [FullDiskTheory]
    [InlineData("580k", "step-00000160", "step-00000140\n", 160, "checkpoint.every=20 steps")]
    [InlineData("80k", "metrics.csv|tensorboard", null, 20, "checkpoint.every=300 steps", "logging.every=1 steps")]
    public void AFullDiskIsOneMessageAndWhatWasWrittenStays(
        string size, string culprit, string? latest, int rowsUpTo, params string[] overrides)
    {
        const string Script = """
            disk=$1 out=$2 size=$3; shift 3
            mount -t tmpfs -o size=20m tmpfs "$disk"
            "$@" 2>"$out/said" & run=$!
            until [ -s "$disk/run/metrics.csv" ] || ! kill -0 $run; do sleep 0.005; done
            mount -o remount,size="$size" "$disk"
            wait $run; echo $? >"$out/code"
            cp -a "$disk/run" "$out/full"
            mount -o remount,size=20m "$disk"
            "$@" 2>"$out/said again"; echo $? >"$out/code again"
            cp -a "$disk/run" "$out/run"
            """;
        string disk = Directory.CreateDirectory(_folder.File("disk")).FullName;
        using (Process process = Start(
            ["unshare", "--user", "--map-root-user", "--mount", "bash", "-c", Script, "bash", disk, _folder.Path, size,
                .. Command(_whole.RecipeFile, Path.Combine(disk, "run"), overrides)]))
        {
            (int code, string wrong) = End(process);
            Assert.True(code == 0, wrong);
        }

        string said = Read("said");
        Assert.True(Read("code") == "1\n", said);
        string[] lines = said.TrimEnd('\n').Split('\n');
        string error = Assert.Single(lines, line => line.StartsWith("error: ", StringComparison.Ordinal));
        Assert.Matches($"({culprit}).*No space left on device", error);
        Assert.StartsWith("HINT: Free some space", lines[^1], StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", said, StringComparison.Ordinal);

        string full = _folder.File("full"), checkpoints = Path.Combine(full, "checkpoints");
        Assert.Equal(
            latest is null ? [] : ["latest", "step-00000120", "step-00000140"],
            Directory.GetFileSystemEntries(checkpoints).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        if (latest is not null)
        {
            Assert.Equal(latest, File.ReadAllText(Path.Combine(checkpoints, "latest")));
        }

        string[] rows = [.. File.ReadLines(Path.Combine(full, "metrics.csv")).Skip(1).Where(row => row.Count(c => c == ',') == 13)];
        string[] steps = [.. rows.Select(row => row.Split(',')[0])];
        Assert.Contains(rowsUpTo.ToString(CultureInfo.InvariantCulture), steps);

        Assert.True(Read("code again") == "0\n", Read("said again"));
        string run = _folder.File("run");
        TinyRun.SameWeights(TinyRun.Checkpoint(_whole.Path, Steps), TinyRun.Checkpoint(run, Steps));
        var metrics = new MetricsTable(run);
        Assert.Equal(metrics.Steps.Distinct().Order(), metrics.Steps);
        if (latest is not null)
        {
            Assert.Equal(new MetricsTable(_whole.Path).Steps, metrics.Steps);

            // What came after the last checkpoint is done again, and takes another time.
            int kept = Array.IndexOf(steps, "140") + 1;
            Assert.Equal(rows.Take(kept), File.ReadLines(Path.Combine(run, "metrics.csv")).Skip(1).Take(kept));
        }

        string Read(string name) => File.ReadAllText(_folder.File(name));
    }

    /// <summary>Before anything else is looked at, which is all wrong here.</summary>
    [Theory]
    [InlineData("train", "no.yaml", "--run", "run")]
    [InlineData("quickstart", "no.key=1", "--out", "run")]
    [InlineData("finetune", "no", "--task", "no.yaml", "--out", "run")]
    public void OneOfSeveralProcessesTrainsNothing(params string[] arguments)
    {
        using Process process = StartIn(_folder.Path, [DotNet, CommandLineProgram, .. arguments], ("SLURM_STEP_NUM_TASKS", "4"));
        (int code, string said) = End(process);
        Assert.True(code == 1, said);
        Assert.Single(said.Split('\n'), line => line.StartsWith("error: SLURM_STEP_NUM_TASKS is 4", StringComparison.Ordinal));
        Assert.Contains("SLURM_STEP_NUM_TASKS=1", said, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    private static Process Train(string recipe, string run) => Start(Command(recipe, run));

    private static string[] Command(string recipe, string run, params string[] overrides) =>
        [DotNet, CommandLineProgram, "train", recipe, "--run", run, .. overrides];

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

    /// <summary>A test that mounts a small disk of its own, where the machine lets it.</summary>
    private sealed class FullDiskTheoryAttribute : TheoryAttribute
    {
        private static readonly Lazy<bool> CanMount = new(() =>
        {
            using Process process = Start(["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
            return End(process).Code == 0;
        });

        public FullDiskTheoryAttribute()
        {
            if (!CanMount.Value)
            {
                Skip = "This machine does not let a user namespace mount a disk (unshare --user --mount).";
            }
        }
    }
}
