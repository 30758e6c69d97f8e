using System.CommandLine;
using System.Globalization;
using Espalier.Reporting;

namespace Espalier.Cli;

/// <summary><c>espalier runs</c> and <c>espalier watch</c>.</summary>
internal static class RunsCommand
{
    private static readonly string[] Columns = ["run", "model", "method", "state", "step", "loss", "valid", "tokens/s", "left"];

    public static Verb Create()
    {
        var folder = Folder();
        var json = new Option<bool>("--json") { Description = "Print JSON." };
        var command = new Verb("runs", "Lists the runs in a folder: how far each is, its losses and its speed.") { folder, json };
        command.Examples = ["espalier runs", "espalier runs runs/experiments --json"];
        command.SetAction(parsed =>
        {
            IReadOnlyList<RunStatus> runs = RunStatus.Below(parsed.GetValue(folder)!);
            if (parsed.GetValue(json))
            {
                JsonOutput.Print(runs.Select(run => run with { Folder = Path.GetFullPath(run.Folder) }));
            }
            else
            {
                Print(parsed.GetValue(folder)!, runs);
            }

            return 0;
        });
        return command;
    }

    public static Verb CreateWatch()
    {
        var folder = Folder();
        var every = new Option<double>("--every") { Description = "Seconds between two looks.", HelpName = "SECONDS", DefaultValueFactory = _ => 2 };
        var command = new Verb("watch", "The table of 'espalier runs', again and again until no run goes on or Ctrl-C.") { folder, every };
        command.Examples = ["espalier watch runs"];
        command.SetAction(parsed =>
        {
            double seconds = parsed.GetValue(every);
            if (seconds is not (>= 0.1 and <= 86400))
            {
                throw new UserErrorException("--every must be from 0.1 to 86400 seconds.");
            }

            using var signals = new StopSignals();
            while (true)
            {
                IReadOnlyList<RunStatus> runs = RunStatus.Below(parsed.GetValue(folder)!);
                if (!Console.IsOutputRedirected)
                {
                    Console.Clear();
                }

                Print(parsed.GetValue(folder)!, runs);
                if (!runs.Any(run => run.State == RunState.Running) || signals.Token.WaitHandle.WaitOne(TimeSpan.FromSeconds(seconds)))
                {
                    return 0;
                }
            }
        });
        return command;
    }

    private static Argument<string> Folder() => new("FOLDER")
    {
        Description = "Where the runs lie; those in folders below it are listed too.",
        Arity = ArgumentArity.ZeroOrOne,
        DefaultValueFactory = _ => "runs",
    };

    private static void Print(string folder, IReadOnlyList<RunStatus> runs)
    {
        if (runs.Count == 0)
        {
            Console.Out.WriteLine($"There are no runs in {folder}.");
            return;
        }

        Tables.Print(
            $"{runs.Count} runs in {folder}, {runs.Count(run => run.State == RunState.Running)} going on.", Columns,
            runs.Select(run => new[]
            {
                Path.GetRelativePath(folder, run.Folder) is "." ? run.Name : Path.GetRelativePath(folder, run.Folder),
                run.Model ?? "", run.Method ?? "", run.State.ToString().ToLowerInvariant(),
                string.Create(CultureInfo.InvariantCulture, $"{run.Step}/{(run.Steps is long steps ? steps : "?")}"),
                Figure(run.TrainLoss, "F3"), Figure(run.ValidLoss, "F3"), Figure(run.TokensPerSecond, "N0"),
                run.SecondsLeft is double left && double.IsFinite(left) ? ProgressLine.Time(TimeSpan.FromSeconds(left)) : "",
            }));
    }

    private static string Figure(double? value, string format) => value?.ToString(format, CultureInfo.InvariantCulture) ?? "";
}
