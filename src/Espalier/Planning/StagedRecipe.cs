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

    /// <summary>The recipe as YAML, which reads back.</summary>
    /// <param name="recipe">All but the method and the length; its model is the last stage.</param>
    /// <param name="stages">The sizes of each stage; the last is the model's.</param>
    /// <param name="boundaries">The update at which each stage but the first begins.</param>
    /// <param name="length">The updates of the whole run.</param>
    /// <param name="ratio">What the learning rate's position is divided by after a growth.</param>
    /// <param name="why">A sentence for the file's head.</param>
    /// <exception cref="UserErrorException">The method does not grow from one of the stages to the next.</exception>
    public static string Write(
        Recipe recipe, IReadOnlyList<LayerSizes> stages, IReadOnlyList<long> boundaries, long length, double ratio, string why)
    {
        long shortest = boundaries.Zip(boundaries.Skip(1).Append(length), (from, to) => to - from).Min();
        string yaml = RecipeWriter.Write(recipe with
        {
            Name = recipe.Name + "-staged",
            Training = recipe.Training with { Length = Duration.Steps(length) },
            Method = new StagedTrainingConfig
            {
                Stages = [.. stages.Select(stage => new ModelSizes(Text(recipe.Model, stage, stages)))],
                Boundaries = [.. boundaries.Select(boundary => (GrowthTrigger)Duration.Steps(boundary))],
                Schedule = ratio > 1 ? ScheduleMove.Rewind(Math.Round(ratio, 3)) : ScheduleMove.Continue,
                Rewarm = Duration.Steps(Math.Min(Rewarm, shortest / 10)),
            },
        });

        // The first line of a written recipe marks a run's own copy; this one is for people to change.
        yaml = $"# {why}\n" + yaml[(yaml.IndexOf('\n', StringComparison.Ordinal) + 1)..];
        _ = RecipeReader.Parse(yaml, "the recipe that was planned");
        return yaml;
    }

    /// <summary>Layers, and what else is not the same in all stages, by the names in the model's config.json.</summary>
    private static string Text(ModelConfig model, LayerSizes stage, IReadOnlyList<LayerSizes> stages)
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
