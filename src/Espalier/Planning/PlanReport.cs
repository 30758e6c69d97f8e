using System.Text.Json.Nodes;
using Espalier.Reporting;

namespace Espalier.Planning;

/// <summary>A plan: the most that growing can save, what is proposed, and what it will cost.</summary>
public sealed class PlanReport
{
    private const string JsonName = "plan.json", ChartName = "plan.svg", RecipeName = "recipe.yaml";

    // The runs of a pilot that was interrupted stand alone.
    private static readonly string[] OwnNames = [JsonName, ChartName, RecipeName, PilotPlan.Fixed, PilotPlan.Grown];

    internal PlanReport(
        string ceiling, IReadOnlyList<TextTable> tables, IReadOnlyList<string> notes, JsonObject json, SvgChart? chart,
        string? recipe) =>
        (Ceiling, Tables, Notes, Json, Chart, Recipe) = (ceiling, tables, notes, json, chart?.ToSvg(), recipe);

    /// <summary>The ceiling in a sentence: it comes first.</summary>
    public string Ceiling { get; }

    /// <summary>The tables, in the order in which to show them.</summary>
    public IReadOnlyList<TextTable> Tables { get; }

    /// <summary>What the figures mean and rest on: a sentence or a formula each.</summary>
    public IReadOnlyList<string> Notes { get; }

    /// <summary>A picture as SVG; null where there is nothing to draw.</summary>
    public string? Chart { get; }

    /// <summary>A recipe to train by, as YAML; null where none can be made.</summary>
    public string? Recipe { get; }

    internal JsonObject Json { get; }

    /// <summary>The plan for programs.</summary>
    public string ToJson() => Json.Indented();

    /// <summary>Looks whether a plan can be written to a folder, before anything is worked out.</summary>
    /// <param name="folder">A new folder, an empty one, or one that holds a plan.</param>
    /// <exception cref="UserErrorException">It holds something else, or cannot be written.</exception>
    public static void RequireRoom(string folder)
    {
        if (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Select(entry => Path.GetFileName(entry)!)
            .Any(name => !name.StartsWith('.') && !OwnNames.Contains(name)))
        {
            throw new UserErrorException($"{folder} holds other files, but no plan.", "Choose an empty or a new folder for --out.");
        }

        AtomicFolder.Try(folder, "The plan");
    }

    /// <summary>Writes the plan: JSON, and where there are any the picture and the recipe.</summary>
    /// <param name="folder">Where to.</param>
    /// <returns>The files.</returns>
    /// <exception cref="UserErrorException">It cannot be written.</exception>
    public IReadOnlyList<string> Write(string folder)
    {
        List<string> files = [];
        Add(JsonName, ToJson() + "\n");
        Add(ChartName, Chart);
        Add(RecipeName, Recipe);
        return files;

        void Add(string name, string? text)
        {
            if (text is not null)
            {
                string file = Path.Combine(folder, name);
                AtomicFile.Write(file, text);
                files.Add(file);
            }
        }
    }
}
