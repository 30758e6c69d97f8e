using System.Globalization;
using System.Text;
using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Training;

namespace Espalier.Planning;

/// <summary>Writes a recipe that grows as a plan says, by the method staged-training (arXiv 2203.06211).</summary>
internal static class StagedRecipe
{
    /// <summary>After growth the learning rate rises anew over this many updates, where the stage has as many to spare.</summary>
    private const long Rewarm = 150;

    /// <summary>The recipe as YAML.</summary>
    /// <param name="recipe">All but the method and the length; its model is the last stage.</param>
    /// <param name="stages">The sizes of each stage; the last is the model's.</param>
    /// <param name="boundaries">The update at which each stage but the first begins.</param>
    /// <param name="length">The updates of the whole run.</param>
    /// <param name="ratio">What the learning rate's position is divided by after a growth; 1 for going on as it is.</param>
    /// <param name="why">A sentence for the file's head.</param>
    public static string Write(
        Recipe recipe, IReadOnlyList<ModelSizes> stages, IReadOnlyList<long> boundaries, long length, double ratio, string why)
    {
        Recipe template = recipe with
        {
            Name = recipe.Name + "-staged",
            Training = recipe.Training with { Length = Duration.Steps(length) },
            Method = new ScratchConfig(),
        };
        string[] lines = RecipeWriter.Write(template).Split('\n');
        int method = Array.IndexOf(lines, "method:");
        int next = Array.FindIndex(lines, method + 1, line => !line.StartsWith(' '));
        var yaml = new StringBuilder().Append("# ").Append(why).Append('\n');
        long shortest = boundaries.Zip(boundaries.Skip(1).Append(length), (from, to) => to - from).Min();
        string[] section =
        [
            "method:",
            "  name: staged-training",
            $"  stages: [{string.Join(", ", stages.Select(stage => Sizes(recipe.Model, stage, stages)))}]",
            $"  boundaries: [{string.Join(", ", boundaries.Select(boundary => Duration.Steps(boundary)))}]",
            ratio == 1 ? "  schedule: continue" : string.Create(CultureInfo.InvariantCulture, $"  schedule: rewind {ratio:0.###}"),
            $"  rewarm: {Duration.Steps(Math.Min(Rewarm, shortest / 10))}",
        ];

        // The first line of a written recipe marks a run's own copy; this one is for people to change.
        return yaml.AppendJoin('\n', [.. lines[1..method], .. section, .. lines[next..]]).ToString();
    }

    /// <summary>Layers, and what else is not the same in all stages, by the names in the model's config.json.</summary>
    private static string Sizes(ModelConfig model, ModelSizes stage, IReadOnlyList<ModelSizes> stages)
    {
        GrowthSize[] keys = GrowthSize.Of(model);
        List<string> sizes = [$"{Key(nameof(ModelConfig.Layers))}={stage.Layers}"];
        if (stages.Any(other => other.Hidden != stage.Hidden))
        {
            sizes.Add($"{Key(nameof(ModelConfig.HiddenSize))}={stage.Hidden}");
        }

        if (stages.Any(other => (long)other.Ffn * stage.Hidden != (long)stage.Ffn * other.Hidden))
        {
            sizes.Add($"{Key(nameof(ModelConfig.FfnSize))}={stage.Ffn}");
        }

        return string.Join(' ', sizes);

        string Key(string property) => keys.Single(key => key.Property == property).Key;
    }
}
