using System.CommandLine;
using Espalier.Experiments;

namespace Espalier.Cli;

/// <summary><c>espalier experiment</c>.</summary>
internal static class ExperimentCommand
{
    public static Verb Create()
    {
        var file = new Argument<string>("FILE") { Description = "The experiment: a YAML file such as recipes/experiments/quickstart.yaml." };
        var overrides = new Argument<string[]>("KEY=VALUE")
        {
            Description = "Values in place of the file's: seeds=[1], set.training.device=cpu.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        Option<string> output = Output();
        Option<int> parallel = Parallel(1);
        var dryRun = new Option<bool>("--dry-run") { Description = "Print the runs with their steps and FLOPs, and make none." };
        var json = new Option<bool>("--json") { Description = "Print the result as JSON." };
        var command = new Verb(
            "experiment",
            "Trains every arm of an experiment at equal FLOPs, each with its best learning rate and with several seeds, and says what " +
            "growing is worth beside the best models that never grow. Interrupted at any moment, the same command goes on.")
        {
            file, overrides, output, parallel, dryRun, json,
        };
        command.Examples =
        [
            "espalier experiment recipes/experiments/quickstart.yaml --dry-run",
            "espalier experiment recipes/experiments/quickstart.yaml --parallel 2",
        ];
        command.SetAction(parsed =>
        {
            SingleProcess.Require();
            string folder = parsed.GetValue(output)!;
            ExperimentConfig config = ExperimentFile.Read(parsed.GetValue(file)!, parsed.GetValue(overrides));
            if (!parsed.GetValue(dryRun))
            {
                return Run(config, folder, parsed.GetValue(parallel), parsed.GetValue(json));
            }

            var grid = new ExperimentGrid(config);
            var runs = new ExperimentRunner(grid, PoolOf(folder));
            SayLeftAlone(runs);
            Tables.Print(ExperimentTable.OfRuns(grid, runs));
            using var signals = new StopSignals();
            Console.Out.WriteLine(new ExperimentTime(grid, runs).Estimate(parsed.GetValue(parallel), signals.Token));
            return 0;
        });
        return command;
    }

    public static Option<string> Output() => new("--out")
    {
        Description = "The folder for its result, and for the runs, in `runs`, which all experiments with this folder share.",
        HelpName = "DIR",
        DefaultValueFactory = _ => Path.Combine("runs", "experiments"),
    };

    public static Option<int> Parallel(int usual)
    {
        var option = new Option<int>("--parallel")
        {
            Description = "Runs at once. Each has its share of the processor's threads, unless OMP_NUM_THREADS says otherwise.",
            HelpName = "N",
            DefaultValueFactory = _ => usual,
        };
        option.Validators.Add(result =>
        {
            if (result.GetValue(option) < 1)
            {
                result.AddError("--parallel is the number of runs at once, 1 or more.");
            }
        });
        return option;
    }

    /// <summary>Makes the runs of an experiment, or goes on with them, and shows what they came to.</summary>
    /// <returns>The exit code.</returns>
    public static int Run(ExperimentConfig config, string folder, int parallel, bool json)
    {
        var grid = new ExperimentGrid(config);
        var runs = new ExperimentRunner(grid, PoolOf(folder));
        SayLeftAlone(runs);
        bool isOver = Run(runs, PoolOf(folder), parallel);
        var result = new ExperimentResult(grid, runs);
        ExperimentPage.Write(Path.Combine(folder, config.Name), result);
        if (json)
        {
            Console.Out.WriteLine(result.ToJson());
        }
        else
        {
            Show(result);
            Console.Out.WriteLine($"The report: {Path.Combine(folder, config.Name, ExperimentPage.FileName)}");
        }

        return !isOver ? TrainingLine.SayStopped() : result.Failed.Count > 0 ? 1 : 0;
    }

    private static void SayLeftAlone(ExperimentRunner runs)
    {
        foreach (string folder in runs.LeftAlone)
        {
            Console.Error.WriteLine($"warning: {folder}");
        }
    }

    private static string PoolOf(string folder) => Path.Combine(folder, "runs");

    private static bool Run(ExperimentRunner runs, string pool, int parallel)
    {
        using var signals = new StopSignals();
        using var line = new ExperimentLine(runs, pool);
        return runs.Run(new RunProcess(parallel).Launch, parallel, line.Changed, signals.Token).GetAwaiter().GetResult();
    }

    private static void Show(ExperimentResult result)
    {
        foreach (double budget in result.Arms.Select(arm => arm.Budget).Distinct().Order())
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

        foreach (string sentence in result.Sentences())
        {
            Console.Out.WriteLine(sentence);
        }
    }
}
