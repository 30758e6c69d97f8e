using Espalier.Configuration;

namespace Espalier.Growth;

/// <summary>What methods of several stages check alike.</summary>
internal static class StageChecks
{
    /// <summary>What is wrong with the layers of each stage; null for nothing.</summary>
    /// <param name="stages">The layers.</param>
    /// <param name="recipe">What the rest of the recipe says.</param>
    /// <param name="least">The fewest that the first stage may have.</param>
    /// <param name="why">Why so many.</param>
    /// <param name="does">What a stage does with layers.</param>
    public static ConfigProblem? OfStages(
        int[] stages, MethodSurroundings recipe, int least = 1, string? why = null, string does = "stores")
    {
        const string Key = "stages";
        string text = ConfigValue.Format(stages);
        return stages[0] < least
            ? new ConfigProblem(Key, $"{text} begins with {stages[0]} layers", why ?? $"store at least {least} layer")
            : stages.Zip(stages.Skip(1)).Any(pair => pair.First >= pair.Second)
            ? new ConfigProblem(Key, $"{text} does not increase", $"each stage {does} more layers than the one before")
            : stages[^1] != recipe.Layers
            ? new ConfigProblem(
                Key, $"{text} ends with {stages[^1]} layers where the model has {recipe.LayersKey} {recipe.Layers}",
                $"end with {recipe.Layers}")
            : null;
    }

    /// <summary>What is wrong with when the stages begin; null for nothing.</summary>
    /// <param name="stages">What each stage is.</param>
    /// <param name="boundaries">When each but the first begins.</param>
    /// <param name="run">The run; null where its length is not known.</param>
    public static ConfigProblem? OfBoundaries(object[] stages, GrowthTrigger[] boundaries, RunShape? run)
    {
        const string Key = "boundaries", Because = "stages";
        int needed = stages.Length - 1;
        if (boundaries.Length != needed)
        {
            string text = $"{Count(stages.Length, "stage", "stages")} [{string.Join(", ", stages)}]";
            Duration[] example = [.. Enumerable.Range(1, needed).Select(i => Duration.Percent(5 * i))];
            return needed == 0
                ? new ConfigProblem(Key, $"{text} has no boundaries", "leave boundaries out", Because)
                : new ConfigProblem(
                    Key, $"{text} need {Count(needed, "boundary", "boundaries")}, not {boundaries.Length}",
                    $"give one for each stage but the first, such as {ConfigValue.Format(example)}", Because);
        }

        if (run is null || needed == 0)
        {
            return null;
        }

        long before = 0;
        foreach (GrowthTrigger boundary in boundaries)
        {
            long step = run.Steps(boundary.Latest);
            if (step <= before)
            {
                return new ConfigProblem(
                    Key,
                    $"`{boundary.Latest}` is step {step}, not after {(before == 0 ? "the beginning" : $"step {before}, the boundary before it")}",
                    "let each stage last at least one step");
            }

            if (boundary.Loss is not null && step < LossRule.LeastPoints)
            {
                return new ConfigProblem(
                    Key, $"`{boundary}` leaves {step} steps, too few for a look at the loss", "give it a later point, or no rule");
            }

            before = step;
        }

        return before >= run.TotalSteps
            ? new ConfigProblem(
                Key, $"`{boundaries[^1].Latest}` is step {before}, where the run has {run.TotalSteps}",
                "let the last stage last at least one step")
            : null;
    }

    private static string Count(int count, string one, string many) => $"{count} {(count == 1 ? one : many)}";
}
