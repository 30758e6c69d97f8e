using Espalier.Configuration;

namespace Espalier.Experiments;

/// <summary>Reads files of experiments: YAML, then checks; all that is wrong is reported at once.</summary>
public static class ExperimentFile
{
    private const string Noun = "experiment";

    /// <summary>Keys that the grid itself sets: an arm that set them would not be one of its arms.</summary>
    private static readonly (string Key, string Instead)[] OfTheGrid =
    [
        ("seed", "seeds, which all arms share, so that their runs are paired"),
        ("data", "set: all arms must train on the same text, or their losses say nothing about each other"),
        ("training.length", "budgets: each run is as long as its budget lasts"),
        ("name", "the arm's own name"),
    ];

    /// <summary>Reads an experiment.</summary>
    /// <param name="path">The YAML file.</param>
    /// <param name="overrides">Its keys with values in place of the file's, `key=value`; null for none.</param>
    /// <returns>It, its recipe's path made whole.</returns>
    /// <exception cref="UserErrorException">
    /// The file cannot be read, or the experiment is not right: one line for each problem, `file:line: key: what — remedy`.
    /// </exception>
    public static ExperimentConfig Read(string path, IEnumerable<string>? overrides = null)
    {
        string yaml = ConfigFile.ReadText(path, Noun, "The ready ones are in recipes/experiments/.");
        ExperimentConfig experiment = ConfigFile.Parse<ExperimentConfig>(
            yaml, path, Noun, "recipes/experiments/quickstart.yaml", overrides, Check);
        return experiment with
        {
            Name = experiment.Name.Length > 0 ? experiment.Name : Path.GetFileNameWithoutExtension(path),
            Recipe = Path.GetFullPath(experiment.Recipe, Path.GetDirectoryName(Path.GetFullPath(path))!),
        };
    }

    private static void Check(ExperimentConfig experiment, RecordBinder binder, ConfigProblems problems)
    {
        CheckList("budgets", experiment.Budgets, budget => budget > 0, "FLOPs, such as [1e13, 3e13]");
        CheckList("seeds", experiment.Seeds, _ => true, "whole numbers, such as [1, 2, 3]");
        if (experiment.LearningRates.Length > 0)
        {
            CheckList("learning_rates", experiment.LearningRates, rate => rate > 0, "peaks, such as [1e-3, 2e-3, 4e-3]");
        }

        foreach (var (key, instead) in OfTheGrid.Where(of => of.Key is not "data" && experiment.Set.Sets(of.Key)))
        {
            Report("set", $"sets {key}", $"use {instead}");
        }

        if (experiment.Arms is null)
        {
            return;
        }

        if (experiment.Arms.Arms.Count == 0)
        {
            Report("arms", "has no arm", ExperimentArms.Expected);
        }

        foreach (ExperimentArm arm in experiment.Arms.Arms)
        {
            foreach (var (key, instead) in OfTheGrid.Where(of => arm.Overrides.Sets(of.Key)))
            {
                Report("arms", $"{arm.Name} sets {key}", $"use {instead}");
            }
        }

        if (experiment.Target is string target && !experiment.Arms.Arms.Any(arm => arm.Name == target))
        {
            BadValueException wrong = ConfigValue.NotOneOf(target, experiment.Arms.Arms.Select(arm => arm.Name));
            Report("target", wrong.Message, wrong.Remedy);
        }

        void CheckList<T>(string key, T[]? values, Func<T, bool> isRight, string form)
        {
            if (problems.AreClean(key) && values is not null
                && (values.Length == 0 || values.Distinct().Count() < values.Length || !Array.TrueForAll(values, value => isRight(value))))
            {
                Report(key, $"is {ConfigValue.Format(values)}", $"give at least one, and none twice: {form}");
            }
        }

        void Report(string key, string what, string remedy)
        {
            if (problems.AreClean(key) || key is "arms" or "set")
            {
                problems.Add(binder.PlaceOf(key, key), key, what, remedy);
            }
        }
    }
}
