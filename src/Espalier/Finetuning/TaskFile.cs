using System.Globalization;
using Espalier.Configuration;
using Espalier.Evaluation;

namespace Espalier.Finetuning;

/// <summary>Reads task files: YAML, then `key=value` overrides, then checks; all that is wrong is reported at once.</summary>
public static class TaskFile
{
    private const string Noun = "task";

    /// <summary>Reads a task file.</summary>
    /// <param name="path">The YAML file.</param>
    /// <param name="overrides">`training.batch=16` and the like; they come before the file's.</param>
    /// <exception cref="UserErrorException">
    /// The file cannot be read, or the task is not right: one line for each problem, `file:line: key: what — remedy`.
    /// </exception>
    public static TaskConfig Read(string path, IEnumerable<string>? overrides = null) =>
        Parse(ConfigFile.ReadText(path, Noun, "The ready ones are in recipes/tasks/."), path, overrides);

    /// <summary>Reads a task from text.</summary>
    /// <param name="yaml">The text.</param>
    /// <param name="file">What to call it in messages; the task's name by default, less its folder and extension.</param>
    /// <param name="overrides">As for <see cref="Read"/>.</param>
    /// <exception cref="UserErrorException">As for <see cref="Read"/>.</exception>
    public static TaskConfig Parse(string yaml, string file, IEnumerable<string>? overrides = null)
    {
        TaskConfig task = ConfigFile.Parse<TaskConfig>(yaml, file, Noun, "recipes/tasks/sst2.yaml", overrides, Check);
        return task with { Name = task.Name.Length > 0 ? task.Name : Path.GetFileNameWithoutExtension(file) };
    }

    private static void Check(TaskConfig task, RecordBinder binder, ConfigProblems problems)
    {
        if (problems.AreClean("labels", "range"))
        {
            CheckOutputs();
        }

        if (problems.AreClean("metrics", "labels", "range"))
        {
            CheckMetrics();
        }

        if (problems.AreClean("data.header", "data.format") && !task.Data.Header && task.Data.Format != TaskFormat.Jsonl)
        {
            RequireNumber("data.text", task.Data.Text);
            RequireNumber("data.text_pair", task.Data.TextPair);
            RequireNumber("data.label", task.Data.Label);
        }

        if (problems.AreClean("training.warmup") && task.Training.Warmup.Unit == DurationUnit.Tokens)
        {
            Report("training.warmup", $"`{task.Training.Warmup}`: examples differ in length", "give it in steps or per cent");
        }

        if (problems.AreClean("training.seeds"))
        {
            ulong[] seeds = task.Training.Seeds;
            if (seeds.Length == 0 || seeds.Distinct().Count() < seeds.Length)
            {
                Report("training.seeds", $"is {ConfigValue.Format(seeds)}", "give at least one, and none twice");
            }
        }

        void Report(string key, string what, string remedy) =>
            problems.Add(binder.PlaceOf(key, key), key, what, remedy);

        void CheckOutputs()
        {
            string[] labels = task.Labels;
            double[] range = task.Range;
            if ((labels.Length > 0) == (range.Length > 0))
            {
                Report("labels", labels.Length > 0 ? "stands beside range" : "is missing, and so is range",
                    "give labels: [...] for classes, or range: [lowest, highest] for scores");
            }
            else if (labels.Length == 1 || labels.Distinct().Count() < labels.Length)
            {
                Report("labels", $"is {ConfigValue.Format(labels)}", "name two classes or more, and none twice");
            }
            else if (range.Length > 0 && (range.Length != 2 || range[0] >= range[1]))
            {
                Report("range", $"is {ConfigValue.Format(range)}", "write [lowest, highest], such as [0, 5]");
            }
        }

        void CheckMetrics()
        {
            if (task.Metrics.Length == 0 || task.Metrics.Distinct().Count() < task.Metrics.Length)
            {
                Report("metrics", $"is {ConfigValue.Format(task.Metrics)}", "name at least one, and none twice");
            }

            foreach (MetricKind metric in task.Metrics)
            {
                bool isOfScores = metric is MetricKind.Pearson or MetricKind.Spearman;
                if (isOfScores != task.IsRegression)
                {
                    Report("metrics", $"{ConfigKeys.Kebab(metric)} is a measure of {(isOfScores ? "scores" : "classes")}",
                        task.IsRegression ? "a task with a range has pearson and spearman" : "a task with labels has accuracy, f1 and matthews");
                }
                else if (metric == MetricKind.F1 && task.Labels.Length != 2)
                {
                    Report("metrics", $"f1 is a measure of two classes, and there are {task.Labels.Length}", "take accuracy or matthews");
                }
            }
        }

        void RequireNumber(string key, string? column)
        {
            bool isNumber = int.TryParse(column, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number > 0;
            if (problems.AreClean(key) && column is not null && !isNumber)
            {
                Report(key, $"`{column}` is a name, and without a header columns have none", "give its number, from 1");
            }
        }
    }
}
