using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Espalier.Cli;

/// <summary><c>espalier launch</c>: several ranks on this machine.</summary>
internal static class LaunchCommand
{
    private const string Threads = "OMP_NUM_THREADS";

    // Ranks that lose one of them take some seconds to find out which, and to say so.
    private static readonly TimeSpan ToSayWhy = TimeSpan.FromSeconds(15);

    public static Verb Create()
    {
        var ranks = new Option<int>("--ranks")
        {
            Description = "How many processes to start. With GPUs, each takes one.",
            Required = true,
            HelpName = "N",
        };
        ranks.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > 1024)
            {
                result.AddError("--ranks is a number from 1 to 1024.");
            }
        });
        var command = new Argument<string[]>("COMMAND")
        {
            Description = "What each of them runs: train and its arguments, after `--`.",
            Arity = ArgumentArity.OneOrMore,
        };
        var launch = new Verb(
            "launch",
            "Trains one run with several processes of this machine, which share the micro-batches of each update. " +
            "When one fails, all end. On several machines, torchrun, mpirun or srun start them.")
        {
            ranks, command,
        };
        launch.Examples = ["espalier launch --ranks 2 -- train recipes/tiny.yaml --run runs/tiny"];
        launch.SetAction((parsed, _) => Launch(parsed.GetValue(ranks), parsed.GetValue(command)!));
        return launch;
    }

    private static async Task<int> Launch(int size, string[] command)
    {
        if (command[0] != "train")
        {
            throw new UserErrorException(
                $"'{command[0]}' does not run on several ranks.", "`espalier launch --ranks N -- train ...` does.");
        }

        using var signals = new StopSignals();
        int port = FreePort();
        Process[] ranks = [.. Enumerable.Range(0, size).Select(rank => Process.Start(StartInfo(rank, size, port, command))!)];
        try
        {
            // They save and leave when their input ends: also when this process is killed.
            using CancellationTokenRegistration registration = signals.Token.Register(() =>
            {
                foreach (Process rank in ranks)
                {
                    rank.StandardInput.Close();
                }
            });
            Task[] said = [.. ranks.Skip(1).Select((process, index) => Repeat(process.StandardError, index + 1))];
            List<Task> running = [.. ranks.Select(rank => rank.WaitForExitAsync(CancellationToken.None))];
            int code = 0;
            while (running.Count > 0 && code is 0 or Failures.Interrupted)
            {
                running.Remove(await Task.WhenAny(running).ConfigureAwait(false));
                code = ranks.Where(rank => rank.HasExited).Select(rank => rank.ExitCode).FirstOrDefault(exit => exit != 0);
            }

            await Task.WhenAny(Task.WhenAll(running), Task.Delay(ToSayWhy, CancellationToken.None)).ConfigureAwait(false);
            Kill(ranks);
            await Task.WhenAll(said).ConfigureAwait(false);
            return code;
        }
        finally
        {
            Kill(ranks);
            foreach (Process rank in ranks)
            {
                rank.Dispose();
            }
        }
    }

    private static void Kill(Process[] ranks)
    {
        foreach (Process rank in ranks.Where(rank => !rank.HasExited))
        {
            rank.Kill();
        }
    }

    /// <summary>Repeats what a rank says, its number before each line.</summary>
    private static async Task Repeat(StreamReader said, int rank)
    {
        while (await said.ReadLineAsync(CancellationToken.None).ConfigureAwait(false) is string line)
        {
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"rank {rank}: {line}"));
        }
    }

    private static ProcessStartInfo StartInfo(int rank, int size, int port, string[] command)
    {
        ProcessStartInfo info = SelfStart.Info(command);
        info.RedirectStandardInput = true;

        // The first speaks for itself.
        info.RedirectStandardError = rank > 0;
        info.Environment[StopSignals.WithInput] = "1";
        (string Name, int Value)[] variables = [("RANK", rank), ("LOCAL_RANK", rank), ("WORLD_SIZE", size), ("MASTER_PORT", port)];
        foreach ((string name, int value) in variables)
        {
            info.Environment[name] = value.ToString(CultureInfo.InvariantCulture);
        }

        info.Environment["MASTER_ADDR"] = "127.0.0.1";
        info.Environment.Remove("TORCHELASTIC_USE_AGENT_STORE");
        if (!info.Environment.ContainsKey(Threads))
        {
            info.Environment[Threads] = Math.Max(1, Environment.ProcessorCount / size).ToString(CultureInfo.InvariantCulture);
        }

        return info;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
