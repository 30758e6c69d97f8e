using System.CommandLine;
using System.Globalization;
using Espalier.Evaluation;
using Espalier.Finetuning;
using Espalier.Models;
using Spectre.Console;

namespace Espalier.Cli;

/// <summary><c>espalier finetune</c>.</summary>
internal static class FinetuneCommand
{
    public static Verb Create()
    {
        var checkpoint = new Argument<string>("CHECKPOINT")
        {
            Description = "A checkpoint, a run (then its latest checkpoint), or any model in Hugging Face's form, whatever " +
                "its head: also one that was fine-tuned before.",
        };
        var overrides = new Argument<string[]>("KEY=VALUE")
        {
            Description = "Values in place of the task's, for example training.learning_rate=1e-4 or data.test=null.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var task = new Option<string>("--task")
        {
            Description = "What to fine-tune for: a task file such as recipes/tasks/sst2.yaml.",
            Required = true,
            HelpName = "FILE.yaml",
        };
        var data = new Option<string?>("--data")
        {
            Description = "The folder of the task's files. Default: the task file's own.",
            HelpName = "DIR",
        };
        var seeds = new Option<string?>("--seeds")
        {
            Description = "How many fine-tunings (3: with the seeds 1, 2 and 3), or a list of seeds (1,5,9). Default: the task's.",
            HelpName = "N|LIST",
        };
        var output = new OutputFolder
        {
            Description = "Writes into this folder, a new one or an empty one, as each seed is done: seed-N/, the fine-tuned " +
                "model in Hugging Face's form, with predictions.tsv, what it predicts for the task's test file if there is " +
                "one; and results.json, the measures of the seeds so far. Default: only measures.",
            Required = false,
        };
        var random = new Option<bool>("--random-init")
        {
            Description = "Begins with random weights instead of the checkpoint's, for comparison.",
        };
        var json = new Option<bool>("--json") { Description = "Prints a JSON object." };
        var options = new ComputeOptions();
        var command = new Verb("finetune", "Fine-tunes a model to give texts a class or a score, and measures how well it does.")
        {
            checkpoint, overrides, task, data, seeds, output, random, json,
        };
        command.Examples =
        [
            "espalier finetune runs/bert --task recipes/tasks/sst2.yaml --data data/SST-2",
            "espalier finetune runs/bert --task recipes/tasks/cola.yaml --data data/CoLA --seeds 5 training.learning_rate=1e-4 --out tuned/cola",
        ];
        options.AddTo(command);
        command.SetAction(parsed =>
        {
            Compute compute = options.Of(parsed);
            SingleProcess.Require();
            string? outputFolder = output.Of(parsed);
            string file = parsed.GetValue(task)!;
            string[] settings = parsed.GetValue(overrides) ?? [];
            TaskConfig config = TaskFile.Read(
                file, parsed.GetValue(seeds) is string given ? [.. settings, $"training.seeds=[{Seeds(given)}]"] : settings);
            string folder = parsed.GetValue(data) ?? Path.GetDirectoryName(Path.GetFullPath(file))!;
            using FinetuneJob job = FinetuneJob.Open(
                parsed.GetValue(checkpoint)!, config, folder, compute, outputFolder, parsed.GetValue(random));
            FinetuneSummary summary = Run(job, config);
            if (parsed.GetValue(json))
            {
                Console.Out.WriteLine(summary.ToJson());
            }
            else
            {
                Print(summary);
            }

            return 0;
        });
        return command;
    }

    /// <summary>A count N stands for the seeds 1 to N.</summary>
    private static string Seeds(string given)
    {
        if (given.Contains(',', StringComparison.Ordinal))
        {
            return given.Trim(',');
        }

        return int.TryParse(given, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count is > 0 and <= 1000
            ? string.Join(',', Enumerable.Range(1, count))
            : throw new UserErrorException(
                $"--seeds {given} is neither a count nor a list.",
                "Write `3` for the seeds 1, 2 and 3, or a list: `1,5,9`, and for the seed 7 alone `7,`.");
    }

    private static FinetuneSummary Run(FinetuneJob job, TaskConfig task)
    {
        foreach (string warning in job.Data.Warnings)
        {
            Console.Error.WriteLine($"warning: {warning}");
        }

        if (job.Origin is string origin)
        {
            Console.Error.WriteLine($"note: {origin}.");
        }

        using var signals = new StopSignals();
        using var line = new ProgressLine();
        return job.Run(
            progress => line.Show(() => Text(task, progress), always: progress.Update.Finished is not null), signals.Token);
    }

    private static void Print(FinetuneSummary summary)
    {
        TaskConfig task = summary.Task;
        string[] columns =
        [
            "metric", "mean", "std", .. summary.Seeds.Select(seed => $"seed {seed.Seed}"), "best epoch", "constant",
        ];
        Tables.Print(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{task.Name}: {summary.Data.TrainCount:N0} training and {summary.Data.ValidationCount:N0} validation examples. " +
                $"On the validation set, after the last of {task.Training.Epochs} epochs."),
            columns, task.Metrics.Select(Row));
        Console.Out.WriteLine(
            $"std: sample standard deviation over the seeds. best epoch: mean of each seed's best by {TaskMetrics.NameOf(task.Metrics[0])}, " +
            "chosen on the same examples, so flattering. constant: always the commonest class, or the mean score.");

        string[] Row(MetricKind metric, int index)
        {
            SeedStatistics last = summary.Last(index);
            return
            [
                TaskMetrics.NameOf(metric), Figure(last.Mean), Figure(last.Deviation), .. last.Values.Select(Figure),
                Figure(summary.Best(index).Mean), Figure(TaskMetrics.OfConstant(metric, summary.Data)),
            ];
        }

        static string Figure(double value) => double.IsNaN(value) ? "-" : value.ToString("F4", CultureInfo.InvariantCulture);
    }

    private static string Text(TaskConfig task, FinetuneJobProgress progress)
    {
        FinetuneProgress update = progress.Update;
        string metrics = update.Finished is EpochResult finished
            ? string.Concat(task.Metrics.Select((metric, i) => string.Create(
                CultureInfo.InvariantCulture, $"  {TaskMetrics.NameOf(metric)} {finished.Metrics[i]:F4}")))
            : "";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{task.Name} seed {progress.Seed} {ProgressLine.Bar(progress.Share, 16)}  epoch {update.Epoch}/{task.Training.Epochs}  " +
            $"{update.Step}/{update.TotalSteps}  loss {update.Loss:F4}{metrics}  " +
            $"{update.ExamplesPerSecond:N0} examples/s  {ProgressLine.Time(progress.Remaining)} left");
    }
}
