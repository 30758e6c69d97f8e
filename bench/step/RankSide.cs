using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Espalier.Distributed;

namespace Espalier.Bench.Step;

/// <summary>Ranks of one thread each, as processes of this program that train on command, line by line.</summary>
internal sealed class RankSide : IDisposable
{
    private readonly List<Process> _ranks = [];

    public RankSide(int ranks, StepSetting setting, StepOptions options)
    {
        int port = FreePort();
        for (int rank = 0; rank < ranks; rank++)
        {
            string program = Environment.ProcessPath!;
            bool isHost = Path.GetFileNameWithoutExtension(program) == "dotnet";
            var start = new ProcessStartInfo(
                program, [.. isHost ? [Environment.GetCommandLineArgs()[0]] : Array.Empty<string>(), Verb, setting.ToArgument(), options.Precision, .. options.ShardsOptimizer ? [Sharded] : Array.Empty<string>()])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            };
            start.Environment["OMP_NUM_THREADS"] = "1";
            start.Environment["WORLD_SIZE"] = Text(ranks);
            start.Environment["RANK"] = Text(rank);
            start.Environment["LOCAL_RANK"] = Text(rank);
            start.Environment["MASTER_ADDR"] = "127.0.0.1";
            start.Environment["MASTER_PORT"] = Text(port);
            _ranks.Add(Process.Start(start)!);
        }
    }

    /// <summary>What this program is called with as a rank.</summary>
    public const string Verb = "rank";

    /// <summary>Then follows, where each rank has its share of the optimizer.</summary>
    public const string Sharded = "--shard-optimizer";

    public StepTime Run(int steps)
    {
        foreach (Process rank in _ranks)
        {
            rank.StandardInput.WriteLine(Text(steps));
            rank.StandardInput.Flush();
        }

        StepTime[] times =
        [
            .. _ranks.Select(rank => JsonSerializer.Deserialize<StepTime>(
                rank.StandardOutput.ReadLine() ?? throw new UserErrorException("A rank has ended; what it said stands above."))),
        ];
        return times[0] with
        {
            Seconds = times.Max(time => time.Seconds),
            Communication = times.Select(time => time.Communication).MinBy(time => time.Hidden),
        };
    }

    /// <summary>The part of a rank: trains so many steps as each line of its input says.</summary>
    public static void Obey(StepSetting setting, bool mixedPrecision, bool shardsOptimizer)
    {
        using var ranks = Ranks.Join(LaunchedRank.OfThisProcess(), Ranks.DefaultTimeout);
        ranks.Guard(() =>
        {
            using var step = new EspalierStep(setting, Espalier.Torch.Device.Cpu, mixedPrecision, ranks: ranks, shardsOptimizer: shardsOptimizer);
            while (Console.In.ReadLine() is string line)
            {
                Console.Out.WriteLine(JsonSerializer.Serialize(step.Run(int.Parse(line, CultureInfo.InvariantCulture), microBatches: ranks.Size)));
                Console.Out.Flush();
            }

            return 0;
        });
    }

    public void Dispose()
    {
        // The end of its input ends a rank.
        foreach (Process rank in _ranks)
        {
            rank.StandardInput.Close();
        }

        foreach (Process rank in _ranks)
        {
            rank.WaitForExit();
            rank.Dispose();
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
