using System.Globalization;
using Espalier.Growth;

namespace Espalier.Training;

/// <summary>
/// A run that goes on by another recipe from its last checkpoint: longer, or at another rate. What it has done stays as it was: the model has
/// grown, and layers were executed, as the new recipe has it too. Only the rates of its past may be others.
/// </summary>
/// <param name="Before">The recipe that the run has had.</param>
/// <param name="Step">The updates that are done.</param>
/// <param name="Changes">What differs, each key with both values.</param>
/// <param name="Warning">What a person may not have meant, in words; null for nothing.</param>
internal sealed record RunProlonging(Recipe Before, long Step, IReadOnlyList<string> Changes, string? Warning)
{
    private const string Keys =
        "Keys that may change: training.length, training.recompute, learning_rate, checkpoint, logging and evaluation.every.";

    /// <summary>Makes sure that a run may go on by another recipe; nothing is written.</summary>
    /// <param name="run">The run's folder.</param>
    /// <param name="recipe">The other recipe.</param>
    /// <param name="plan">It worked out.</param>
    /// <param name="planOf">Works out a recipe of the same model.</param>
    /// <returns>What changes; null where nothing does, as when the same command is given again.</returns>
    /// <exception cref="UserErrorException">There is no run to go on with, or its past would be another.</exception>
    public static RunProlonging? Plan(string run, Recipe recipe, RunPlan plan, Func<Recipe, RunPlan> planOf)
    {
        if (!RunDirectory.IsRun(run))
        {
            throw new UserErrorException($"{run} is no run that could be prolonged.", "Leave --prolong out to begin it.");
        }

        if (RunDirectory.LatestCheckpointOf(run) is not string checkpoint)
        {
            throw new UserErrorException(
                $"{run} has no checkpoint yet that it could be prolonged from.", "Leave --prolong out: the run begins anew, by this recipe.");
        }

        Recipe before = RecipeReader.Read(RunDirectory.RecipeFileOf(run));
        IReadOnlyList<string> changes = RecipeDifference.Describe(before, recipe, "before", "from here on");
        return changes.Count == 0 ? null : Plan(run, checkpoint, before, recipe, plan, planOf) with { Changes = changes };
    }

    private static RunProlonging Plan(
        string run, string checkpoint, Recipe before, Recipe recipe, RunPlan plan, Func<Recipe, RunPlan> planOf)
    {
        long step = RunDirectory.StepOf(checkpoint)!.Value;
        if (SharedPast.FixedDifferences(before, recipe) is { Length: > 0 } fixedKeys)
        {
            throw Refuse("these keys may not change while it trains", fixedKeys, Keys);
        }

        RunPlan planBefore = planOf(before);
        if (plan.TotalSteps < planBefore.TotalSteps)
        {
            throw new UserErrorException(
                $"{run} has {planBefore.TotalSteps} steps; {plan.TotalSteps} would shorten it.",
                $"Raise training.length, or begin a shorter run from a checkpoint of this one: --run OTHER --from {run}@STEP.");
        }

        if (step >= plan.TotalSteps)
        {
            throw new UserErrorException(
                $"{run} has done all of its {plan.TotalSteps} steps: nothing is left to do otherwise.", "Raise training.length.");
        }

        Checkpoint.Verify(checkpoint);
        TrainingPosition now = TrainingStateFile.Read(Path.Combine(checkpoint, TrainingStateFile.Name)).Position(planBefore.Forecast);
        var past = SharedPast.Of(before, recipe, planBefore, plan, now.Losses, step, ratesFrom: step);
        if (past.Position is null)
        {
            throw Refuse(past.What!, past.Differences, GrowthAdvice(now.Growths));
        }

        return new RunProlonging(before, step, [], Warning());

        UserErrorException Refuse(string what, IReadOnlyList<string> differences, string hint) => new(
            $"{run} cannot be prolonged so, for what it has done would be otherwise: {what}.{string.Concat(differences.Select(line => "\n  " + line))}", hint);

        string? Warning()
        {
            double last = planBefore.LearningRate.At(Math.Max(0, now.ScheduleStep - 1)), next = plan.LearningRate.At(now.ScheduleStep);
            bool risesAgain = step > planBefore.WarmupSteps && next > last * (1 + 1e-6);
            return !risesAgain ? null : string.Create(
                CultureInfo.InvariantCulture,
                $"the learning rate rises again at step {step}, from {last:G3} to {next:G3}: until here it had the course of a run of {planBefore.TotalSteps} steps. {OtherWay()}");
        }

        string OtherWay() => RunBranch.LastOnTheWay(run, recipe, plan, planOf, now.Losses) is long other
            ? $"From step {other} a new run would have the rates of {plan.TotalSteps} steps throughout: --run OTHER --from {run}@{other}"
            : $"No checkpoint on disk was trained at the rates that {plan.TotalSteps} steps have; checkpoint.at keeps such";
    }

    private static string GrowthAdvice(IReadOnlyList<GrowthRecord> growths) => growths.Count == 0
        ? "Give the keys of the method in steps, with the values that they have had so far."
        : "Give the keys of the method in steps: the run has grown at step "
            + string.Join(", ", growths.Select(growth => growth.Step.ToString(CultureInfo.InvariantCulture)))
            + ", and a share of a longer run is another step.";
}
