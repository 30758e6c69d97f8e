using System.CommandLine;
using Espalier.Experiments;

namespace Espalier.Cli;

/// <summary><c>espalier experiment</c>.</summary>
internal static class ExperimentCommand
{
    public static Verb Create()
    {
        var file = new Argument<string>("FILE") { Description = "The experiment: a YAML file such as recipes/experiments/quickstart.yaml." };
        var output = new Option<string>("--out")
        {
            Description = "The folder for its result, and for the runs, in `runs`, which all experiments with this folder share.",
            HelpName = "DIR",
            DefaultValueFactory = _ => Path.Combine("runs", "experiments"),
        };
        var parallel = new Option<int>("--parallel")
        {
            Description = "Runs at once. Each has its share of the processor's threads, unless OMP_NUM_THREADS says otherwise.",
            HelpName = "N",
            DefaultValueFactory = _ => 1,
        };
        var dryRun = new Option<bool>("--dry-run") { Description = "Print the runs with their steps and FLOPs, and make none." };
        var json = new Option<bool>("--json") { Description = "Print the result as JSON." };
        var command = new Verb(
            "experiment",
            "Trains every arm of an experiment at equal FLOPs, each with its best learning rate and with several seeds, and says what " +
            "growing is worth beside the best models that never grow. Interrupted at any moment, the same command goes on.")
        {
            file, output, parallel, dryRun, json,
        };
        command.Examples =
        [
            "espalier experiment recipes/experiments/quickstart.yaml --dry-run",
            "espalier experiment recipes/experiments/quickstart.yaml --parallel 2",
        ];
        command.SetAction(parsed =>
        {
            SingleProcess.Require();
            int atOnce = parsed.GetValue(parallel);
            if (atOnce < 1)
            {
                throw new UserErrorException($"--parallel is {atOnce}.", "Give the number of runs at once, 1 or more.");
            }

            string folder = parsed.GetValue(output)!;
            string pool = Path.Combine(folder, "runs");
            var grid = new ExperimentGrid(ExperimentFile.Read(parsed.GetValue(file)!));
            var runs = new ExperimentRunner(grid, pool);
            if (parsed.GetValue(dryRun))
            {
                Tables.Print(ExperimentTable.OfRuns(grid, runs));
                return 0;
            }

            bool isOver = Run(runs, pool, atOnce);
            var result = new ExperimentResult(grid, runs);
            ExperimentPage.Write(Path.Combine(folder, grid.Config.Name), result);
            if (parsed.GetValue(json))
            {
                Console.Out.WriteLine(result.ToJson());
            }
            else
            {
                Show(result);
                Console.Out.WriteLine($"The report: {Path.Combine(folder, grid.Config.Name, ExperimentPage.FileName)}");
            }

            return !isOver ? TrainingLine.SayStopped() : result.Failed.Count > 0 ? 1 : 0;
        });
        return command;
    }

    private static bool Run(ExperimentRunner runs, string pool, int parallel)
    {
        using var signals = new StopSignals();
        using var line = new ExperimentLine(runs, pool);
        return runs.Run(new RunProcess(parallel).Launch, parallel, line.Changed, signals.Token).GetAwaiter().GetResult();
    }

    private static void Show(ExperimentResult result)
    {
        foreach (double budget in result.Config.Budgets.Order())
        {
            Tables.Print(ExperimentTable.Of(result, budget));
        }

        foreach (string warning in result.Warnings())
        {
            Console.Error.WriteLine($"warning: {warning}");
        }

        if (result.Sharing is string sharing)
        {
            Console.Out.WriteLine(sharing);
        }

        foreach (Verdict verdict in result.Verdicts)
        {
            Console.Out.WriteLine(verdict.ToString());
        }
    }
}
