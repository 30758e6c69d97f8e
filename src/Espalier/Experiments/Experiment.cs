using Espalier.Reporting;
using Espalier.Training;

namespace Espalier.Experiments;

/// <summary>
/// Runs of several recipes in one folder, and what they come to against one of them. Each run has the folder of its
/// recipe's name; the same experiment in the same folder goes on where it was.
/// </summary>
public sealed class Experiment
{
    private const string ReportName = "report.html";

    private readonly Recipe[] _recipes;

    /// <summary>Plans an experiment; nothing is written yet.</summary>
    /// <param name="folder">Where the runs and the report go.</param>
    /// <param name="baseline">What the others are held against: usually training from scratch. It runs first.</param>
    /// <param name="others">The other recipes, in the order of their runs.</param>
    /// <exception cref="UserErrorException">Two recipes have one name.</exception>
    public Experiment(string folder, Recipe baseline, IEnumerable<Recipe> others)
    {
        Folder = folder;
        _recipes = [baseline, .. others];
        if (_recipes.CountBy(recipe => recipe.Name).FirstOrDefault(name => name.Value > 1).Key is string name)
        {
            throw new UserErrorException(
                $"Two recipes of one experiment are called '{name}', and each run's folder has its recipe's name.",
                "Leave `name` out, so that it is the recipe file's, or give each its own.");
        }
    }

    /// <summary>Where the runs and the report go.</summary>
    public string Folder { get; }

    /// <summary>The recipes in the order of their runs; the first is the baseline.</summary>
    public IReadOnlyList<Recipe> Recipes => _recipes;

    /// <summary>The report that <see cref="WriteReport"/> writes.</summary>
    public string ReportFile => Path.Combine(Folder, ReportName);

    /// <summary>The folder of a recipe's run.</summary>
    public string FolderOf(Recipe recipe) => Path.Combine(Folder, recipe.Name);

    /// <summary>Runs one recipe after the other, or goes on, to the end of the last.</summary>
    /// <param name="progress">Hears of every step, evaluation and checkpoint of every run.</param>
    /// <param name="ended">Hears of each run that training has left.</param>
    /// <param name="stop">Asks the run under way to save its state and to leave; no other run begins.</param>
    /// <returns>Whether all runs are at their end.</returns>
    /// <exception cref="UserErrorException">What <see cref="TrainingRun.Run"/> says.</exception>
    public bool Run(
        Action<Recipe, TrainingProgress>? progress = null, Action<RunResult>? ended = null, CancellationToken stop = default)
    {
        foreach (Recipe recipe in _recipes)
        {
            RunResult result = TrainingRun.Run(recipe, FolderOf(recipe), made => progress?.Invoke(recipe, made), stop);
            ended?.Invoke(result);
            if (!result.IsFinished)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Holds the runs against the baseline, as far as they have come.</summary>
    /// <exception cref="UserErrorException">A run has not begun, or its metrics are damaged.</exception>
    public RunComparison Compare()
    {
        RunMetrics[] runs = [.. _recipes.Select(recipe => RunMetrics.Load(FolderOf(recipe)))];
        return RunComparison.Of(runs[0], runs[1..]);
    }

    /// <summary>Writes a comparison to <see cref="ReportFile"/>.</summary>
    /// <param name="comparison">What <see cref="Compare"/> gave.</param>
    /// <param name="title">The report's title.</param>
    /// <exception cref="UserErrorException">The file cannot be written.</exception>
    public void WriteReport(RunComparison comparison, string title) => HtmlReport.Write(ReportFile, comparison, title);
}
