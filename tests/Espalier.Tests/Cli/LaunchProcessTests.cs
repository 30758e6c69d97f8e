using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;
using System.Text.RegularExpressions;
using Espalier.Configuration;
using Espalier.Tests.Data;
using Espalier.Tests.Training;
using Espalier.Training;
using static Espalier.Tests.Cli.ProgramProcess;

namespace Espalier.Tests.Cli;

/// <summary><c>espalier train</c> as several processes, by every launcher that this machine has.</summary>
[UnsupportedOSPlatform("windows")]
[Trait("Kind", "Process")]
public sealed class LaunchProcessTests : IClassFixture<LaunchProcessTests.OneProcess>, IDisposable
{
    private const int Steps = 200;

    private readonly OneProcess _one;
    private readonly TemporaryFolder _folder = new();

    public LaunchProcessTests(OneProcess one) => _one = one;

    public void Dispose() => _folder.Dispose();

    /// <summary>The run of one process, two growths and all.</summary>
    public sealed class OneProcess : IDisposable
    {
        private readonly TemporaryFolder _folder = new();

        public OneProcess()
        {
            RecipeFile = _folder.Write("tiny.yaml", RecipeWriter.Write(TinyRun.Recipe with
            {
                Training = TinyRun.Recipe.Training with { Length = Duration.Steps(Steps) },
                Method = TinyRun.Apollo with { Boundaries = [Duration.Steps(60), Duration.Steps(110)] },
                Checkpoint = new CheckpointConfig { Every = Duration.Steps(20) },
            }));
            (int code, string said) = End(Start([DotNet, CommandLineProgram, "train", RecipeFile, "--run", Path]));
            Assert.True(code == 0, said);
        }

        public string RecipeFile { get; }

        public string Path => _folder.File("run");

        public void Dispose() => _folder.Dispose();
    }

    [Fact]
    public void LaunchEndsInTheBitsOfOneProcess() => EndsAsOne(End(Start(Launch())));

    [ToolFact("mpirun")]
    public void MpirunEndsInTheBitsOfOneProcess() =>
        EndsAsOne(End(Start(["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2", DotNet, CommandLineProgram, .. Train()])));

    // The torchrun of PyTorch 1.13 fails under Python 3.11 if it is not told what to write into files.
    [ToolFact("torchrun")]
    public void TorchrunEndsInTheBitsOfOneProcess() =>
        EndsAsOne(End(Start(["torchrun", "--nproc_per_node", "2", "-r", "1", "-t", "1", "--no_python", DotNet, CommandLineProgram, .. Train()])));

    [Fact]
    public void SlurmsVariablesEndInTheBitsOfOneProcess()
    {
        string job = Random.Shared.Next().ToString(CultureInfo.InvariantCulture);
        Process[] ranks = [.. Enumerable.Range(0, 2).Select(rank => Start(
            [DotNet, CommandLineProgram, .. Train()],
            ("SLURM_PROCID", $"{rank}"), ("SLURM_LOCALID", $"{rank}"), ("SLURM_STEP_NUM_TASKS", "2"), ("SLURM_JOB_NODELIST", "localhost"),
            ("SLURM_JOB_ID", job)))];
        (int Code, string Said)[] ends = [.. ranks.Select(End)];
        Assert.Equal((0, ""), ends[1]);
        EndsAsOne(ends[0]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void ARankThatIsKilledIsNamedOnceAndTheSameCommandGoesOn(int rank)
    {
        using (Process launch = Start(Launch()))
        {
            Signal("-KILL", PidOfRank(rank));
            (int code, string said) = End(launch);
            Assert.Equal(137, code);
            string error = Assert.Single(said.Split('\n'), line => line.Contains("error: ", StringComparison.Ordinal));
            Assert.Matches($@"error: The run stopped at step \d+: rank {rank} \({Regex.Escape(Environment.MachineName)}\) died or did not answer\.$", error);
            Assert.DoesNotContain("   at ", said, StringComparison.Ordinal);
        }

        Assert.Empty(Directory.GetFiles(_folder.File("run"), "*.tmp", SearchOption.AllDirectories));
        EndsAsOne(End(Start(Launch())));
    }

    /// <summary>The meeting place stands still with rank 0: it is named all the same.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void ARankThatStandsStillIsNamedInTime(int rank)
    {
        using Process launch = Start([.. Launch(), "--rank-timeout", "3"]);
        Signal("-STOP", PidOfRank(rank));
        long started = TimeProvider.System.GetTimestamp();
        (int code, string said) = End(launch);

        // 3, 5 and 5 for those that still run; 15 for launch to kill the one that does not.
        Assert.InRange(TimeProvider.System.GetElapsedTime(started).TotalSeconds, 3, 3 + 5 + 5 + 15 + 20);
        Assert.Equal(1, code);
        string error = Assert.Single(said.Split('\n'), line => line.Contains("error: ", StringComparison.Ordinal));
        Assert.Matches($@"error: The run stopped at step \d+: rank {rank} \({Regex.Escape(Environment.MachineName)}\) died or did not answer\.$", error);
    }

    [Theory]
    [InlineData("-TERM", 0)]
    [InlineData("-USR1", 1)]
    public void ASignalToOneRankSavesOnAllAndTheSameCommandGoesOn(string signal, int rank)
    {
        using (Process launch = Start(Launch()))
        {
            Signal(signal, PidOfRank(rank));
            (int code, string said) = End(launch);
            Assert.True(code == 130, said);
            Assert.EndsWith("Stopped and saved. The same command goes on from there.\n", said, StringComparison.Ordinal);
        }

        (int end, string last) = End(Start(Launch()));
        Assert.True(end == 0, last);
        TinyRun.SameWeights(TinyRun.Checkpoint(_one.Path, Steps), TinyRun.Checkpoint(_folder.File("run"), Steps));
    }

    [Fact]
    public void AMistakeIsSaidOnce()
    {
        (int code, string said) = End(Start([.. Launch(), "training.gradient_accumulation=3"]));
        Assert.Equal(1, code);
        string error = Assert.Single(said.Split('\n'), line => line.Contains("error: ", StringComparison.Ordinal));
        Assert.EndsWith("training.gradient_accumulation is 3: 2 ranks cannot share 3 micro-batches evenly.", error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder.File("run")));
    }

    private void EndsAsOne((int Code, string Said) end)
    {
        Assert.True(end.Code == 0, end.Said);
        Assert.DoesNotContain("warning", end.Said, StringComparison.Ordinal);
        TinyRun.SameEnd(_one.Path, _folder.File("run"), Steps);
        Assert.Equal(new MetricsTable(_one.Path).Steps, new MetricsTable(_folder.File("run")).Steps);
    }

    private string[] Train() => ["train", _one.RecipeFile, "--run", _folder.File("run")];

    private string[] Launch() => [DotNet, CommandLineProgram, "launch", "--ranks", "2", "--", .. Train()];

    /// <summary>The process of a rank, once the run has a checkpoint.</summary>
    private int PidOfRank(int rank)
    {
        string latest = Path.Combine(_folder.File("run"), "checkpoints", "latest");
        long started = TimeProvider.System.GetTimestamp();
        while (!File.Exists(latest))
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromMinutes(2), "no checkpoint came");
            Thread.Sleep(2);
        }

        return Directory.GetDirectories("/proc").Select(folder => int.TryParse(Path.GetFileName(folder), out int pid) ? pid : 0).Single(
            pid => pid > 0 && Read(pid, "cmdline").Contains(_folder.File("run"), StringComparison.Ordinal)
                && Read(pid, "environ").Split('\0').Contains($"RANK={rank}"));

        static string Read(int pid, string name)
        {
            try
            {
                return File.ReadAllText($"/proc/{pid}/{name}");
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                return "";
            }
        }
    }

    private static void Signal(string signal, int pid) =>
        Process.Start("kill", [signal, pid.ToString(CultureInfo.InvariantCulture)]).WaitForExit();

    /// <summary>A test that needs a program, and is skipped where it is missing.</summary>
    private sealed class ToolFactAttribute : FactAttribute
    {
        public ToolFactAttribute(string tool)
        {
            string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':');
            if (!folders.Any(folder => File.Exists(Path.Combine(folder, tool))))
            {
                Skip = $"There is no {tool} on the PATH.";
            }
        }
    }
}
