using System.Globalization;
using Espalier.Training;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Espalier.Reporting;

/// <summary>What a run has measured so far, read from its folder. The run may still be going.</summary>
public sealed class RunMetrics
{
    internal RunMetrics(string name, string folder, string recipe, IReadOnlyList<MetricsRow> rows) =>
        (Name, Folder, Recipe, Rows) = (name, folder, recipe, rows);

    /// <summary>The <c>name</c> of the recipe, or the folder's.</summary>
    public string Name { get; }

    /// <summary>The run folder.</summary>
    public string Folder { get; }

    /// <summary>The text of <c>recipe.yaml</c>; empty where there is none.</summary>
    public string Recipe { get; }

    /// <summary>At least one row, by growing step.</summary>
    public IReadOnlyList<MetricsRow> Rows { get; }

    /// <summary>The weights that the run began with, where their whole cost is not known; else null.</summary>
    internal string? UnpaidWeights =>
        RunLog.Open(Folder).Initial is { CostIsKnown: false } initial ? initial.Path : null;

    /// <summary>The cost of the whole run.</summary>
    public Cost Cost => Cost.Of(Rows[^1]);

    /// <summary>The steps of the whole run, as the recipe plans them; null where no recipe says so.</summary>
    public long? PlannedSteps { get; private init; }

    /// <summary><c>unfinished: step 30 of 100</c>; null where the run has ended, or its recipe does not say when it ends.</summary>
    public string? Unfinished => Rows[^1].Step < PlannedSteps
        ? string.Create(CultureInfo.InvariantCulture, $"unfinished: step {Rows[^1].Step} of {PlannedSteps}")
        : null;

    /// <summary>
    /// Reads <c>metrics.csv</c> and <c>recipe.yaml</c> of a run folder. A last line without its line feed is one that
    /// the running job has not finished writing, and is left out.
    /// </summary>
    /// <exception cref="UserErrorException">A file is missing or damaged; the message names file and line.</exception>
    public static RunMetrics Load(string runFolder)
    {
        string metrics = Path.Combine(runFolder, "metrics.csv");
        if (!File.Exists(metrics))
        {
            throw new UserErrorException(
                $"'{runFolder}' holds no metrics.csv.", "Name a folder that 'espalier train' has written.");
        }

        string recipePath = Path.Combine(runFolder, "recipe.yaml");
        string recipe = File.Exists(recipePath) ? ReadText(recipePath) : "";
        string name = RecipeValue(recipePath, recipe, "name") ?? Path.GetFileName(Path.GetFullPath(runFolder).TrimEnd('/'));
        return new RunMetrics(name, runFolder, recipe, MetricsCsv.Parse(metrics, ReadText(metrics)))
        {
            PlannedSteps = StepsOf(recipePath, recipe),
        };
    }

    /// <summary>The value of a recipe's key, named by the way to it; null where the recipe has none.</summary>
    internal string? RecipeValue(params string[] key) => RecipeValue(Folder, Recipe, key);

    internal RunMetrics Renamed(string name) => new(name, Folder, Recipe, Rows) { PlannedSteps = PlannedSteps };

    /// <summary>Metrics may be all that is left of a run, or come from elsewhere: a recipe that cannot be read tells nothing.</summary>
    private static long? StepsOf(string path, string text)
    {
        try
        {
            Recipe recipe = RecipeReader.Parse(text, path);
            TrainingConfig training = recipe.Training;
            return training.Length.ToSteps(
                0, (long)training.MicroBatch * training.GradientAccumulation * recipe.Model.ContextLength);
        }
        catch (UserErrorException)
        {
            return null;
        }
    }

    private static string? RecipeValue(string path, string recipe, params string[] key)
    {
        try
        {
            var yaml = new YamlStream();
            yaml.Load(new StringReader(recipe));
            YamlNode? node = yaml.Documents.Count > 0 ? yaml.Documents[0].RootNode : null;
            foreach (string part in key)
            {
                node = node is YamlMappingNode map && map.Children.TryGetValue(new YamlScalarNode(part), out YamlNode? child)
                    ? child
                    : null;
            }

            return node is YamlScalarNode { Value: { Length: > 0 } value } ? value : null;
        }
        catch (YamlException e)
        {
            throw new UserErrorException(
                string.Create(CultureInfo.InvariantCulture, $"'{path}', line {e.Start.Line}: {e.Message}"), inner: e);
        }
    }

    private static string ReadText(string path)
    {
        try
        {
            OrdinaryFile.Require(path);
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var reader = new StreamReader(stream);
            return reader.ReadToEnd();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"Cannot read '{path}': {e.Message}", inner: e);
        }
    }
}
