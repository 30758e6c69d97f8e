using System.Globalization;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Espalier.Reporting;

/// <summary>What a run has measured so far, read from its folder. The run may still be going.</summary>
public sealed class RunMetrics
{
    private static readonly string[] RequiredColumns =
        ["step", "train_loss", "valid_loss", "flops_layers", "flops_attention", "flops_head", "seconds"];

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

    /// <summary>The cost of the whole run.</summary>
    public Cost Cost => Rows[^1].Cost;

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
        return new RunMetrics(name, runFolder, recipe, ParseRows(metrics, ReadText(metrics)));
    }

    /// <summary>The value of a recipe's key, named by the way to it; null where the recipe has none.</summary>
    internal string? RecipeValue(params string[] key) => RecipeValue(Folder, Recipe, key);

    internal RunMetrics Renamed(string name) => new(name, Folder, Recipe, Rows);

    internal static IReadOnlyList<MetricsRow> ParseRows(string path, string text)
    {
        string[] lines = text.Split('\n')[..^1];
        if (lines.Length < 2)
        {
            throw new UserErrorException($"'{path}' has no rows yet.", "Wait for the run's first logging interval.");
        }

        Dictionary<string, int> columns = Columns(path, lines[0].TrimEnd('\r').Split(','));
        var rows = new List<MetricsRow>(lines.Length - 1);
        for (int i = 1; i < lines.Length; i++)
        {
            var line = new MetricsLine(path, i + 1, columns, lines[i].TrimEnd('\r').Split(','));
            MetricsRow row = line.Row();
            if (rows.Count > 0)
            {
                line.CheckFollows(rows[^1], row);
            }

            rows.Add(row);
        }

        return rows;
    }

    private static Dictionary<string, int> Columns(string path, string[] header)
    {
        var columns = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int i = 0; i < header.Length; i++)
        {
            if (!columns.TryAdd(header[i], i))
            {
                throw new UserErrorException($"'{path}', line 1: the column '{header[i]}' is there twice.");
            }
        }

        string? missing = RequiredColumns.FirstOrDefault(column => !columns.ContainsKey(column));
        return missing is null
            ? columns
            : throw new UserErrorException(
                $"'{path}', line 1: there is no column '{missing}'.", "Is this a metrics.csv that Espalier has written?");
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
