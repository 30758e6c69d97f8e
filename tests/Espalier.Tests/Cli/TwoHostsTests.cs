using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;
using Espalier.Configuration;
using Espalier.Tests.Data;
using Espalier.Tests.Training;
using Espalier.Training;
using static Espalier.Tests.Cli.ProgramProcess;

namespace Espalier.Tests.Cli;

/// <summary>Two hosts as namespaces of this machine's network, with a wire between them, names and addresses of their own.</summary>
[UnsupportedOSPlatform("windows")]
[Trait("Kind", "Process")]
public sealed class TwoHostsTests : IDisposable
{
    private static readonly string[] Hosts = [Name("a"), Name("b")];

    private readonly TemporaryFolder _folder = new();
    private Process[] _ranks = [];

    public void Dispose()
    {
        foreach (Process rank in _ranks)
        {
            rank.Kill(entireProcessTree: true);
            rank.Dispose();
        }

        foreach (string host in Hosts)
        {
            Ip("netns", "del", host);
        }

        _folder.Dispose();
    }

    /// <summary>They find each other as Slurm's tasks do. Then the wire is cut in mid-step: each says that the other does not answer.</summary>
    [NamespacesFact]
    public void ACutWireEndsBothHostsInTimeAndTheLastCheckpointIsWhole()
    {
        string recipe = _folder.Write("tiny.yaml", RecipeWriter.Write(TinyRun.Recipe with
        {
            Training = TinyRun.Recipe.Training with { Length = Duration.Steps(100_000) },
            Checkpoint = new CheckpointConfig { Every = Duration.Steps(20) },
        }));
        Wire();
        _ranks = [.. Enumerable.Range(0, 2).Select(rank => Start(
            [
                "ip", "netns", "exec", Hosts[rank], "unshare", "--uts", "sh", "-c", "hostname \"$0\"; exec \"$@\"", $"host-{rank}",
                DotNet, CommandLineProgram, "train", recipe, "--run", _folder.File("run"), "--rank-timeout", "4",
            ],
            ("SLURM_PROCID", $"{rank}"), ("SLURM_LOCALID", "0"), ("SLURM_STEP_NUM_TASKS", "2"), ("SLURM_JOB_NODELIST", "10.213.1.1,10.213.1.2"),
            ("SLURM_JOB_ID", Environment.ProcessId.ToString(CultureInfo.InvariantCulture))))];
        string latest = Path.Combine(_folder.File("run"), "checkpoints", "latest");
        Assert.True(SpinWait.SpinUntil(() => File.Exists(latest) || _ranks.Any(rank => rank.HasExited), TimeSpan.FromMinutes(2)), "no checkpoint came");
        Ip("-n", Hosts[1], "link", "set", "wire", "down");
        long started = TimeProvider.System.GetTimestamp();
        (int Code, string Said)[] ends = [.. _ranks.Select(End)];

        // 4 to wait, 5 for the one that holds the meeting place and 10 for the other; and what a busy machine takes.
        Assert.InRange(TimeProvider.System.GetElapsedTime(started).TotalSeconds, 0, 4 + 10 + 20);
        for (int rank = 0; rank < 2; rank++)
        {
            Assert.True(ends[rank].Code == 1, ends[rank].Said);
            string error = Assert.Single(ends[rank].Said.Split('\n'), line => line.StartsWith("error: ", StringComparison.Ordinal));
            Assert.Matches($@"^error: The run stopped at step \d+: rank {1 - rank} \(host-{1 - rank}\) died or did not answer\.$", error);
            Assert.DoesNotContain("   at ", ends[rank].Said, StringComparison.Ordinal);
        }

        (int code, string said) = End(Start([DotNet, CommandLineProgram, "verify", _folder.File("run")]));
        Assert.True(code == 0, said);
    }

    private static void Wire()
    {
        foreach (string host in Hosts)
        {
            Ip("netns", "add", host);
        }

        Ip("-n", Hosts[0], "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", Hosts[1]);
        for (int i = 0; i < 2; i++)
        {
            Ip("-n", Hosts[i], "addr", "add", $"10.213.1.{i + 1}/24", "dev", "wire");
            Ip("-n", Hosts[i], "link", "set", "lo", "up");
            Ip("-n", Hosts[i], "link", "set", "wire", "up");
        }
    }

    private static string Name(string host) => string.Create(CultureInfo.InvariantCulture, $"espalier-{Environment.ProcessId}-{host}");

    private static bool Ip(params string[] arguments)
    {
        using Process process = Start(["ip", .. arguments]);
        return End(process).Code == 0;
    }

    /// <summary>A test that makes namespaces of networks, and is skipped where that is not allowed.</summary>
    private sealed class NamespacesFactAttribute : FactAttribute
    {
        public NamespacesFactAttribute()
        {
            if (!File.Exists("/usr/sbin/ip") || !Ip("netns", "add", Name("try")))
            {
                Skip = "There is no right here to make namespaces of networks (root, iproute2).";
                return;
            }

            Ip("netns", "del", Name("try"));
        }
    }
}
