using Espalier.Growth;
using Espalier.Interop;

namespace Espalier.Training;

/// <summary>
/// The beginning of a run that goes on from a checkpoint of another, its trunk: where both recipes have the same past, the trunk's state
/// is this run's too, bit for bit. It becomes the first checkpoint; from there the run is like any other.
/// </summary>
internal sealed class RunBranch : IDisposable
{
    private const string Advice =
        "Give the keys the values of the run, in steps where they are shares of its length, or go on from an earlier step. "
        + "A rate that is wsd or constant is the same in runs of any length until it decays.";

    private readonly NamedCheckpoint _trunk;
    private readonly TrainingState _state;

    private RunBranch(NamedCheckpoint trunk, TrainingState state) => (_trunk, _state) = (trunk, state);

    /// <summary>Where the run begins.</summary>
    public NamedCheckpoint Trunk => _trunk;

    /// <summary>It as a run's log keeps it.</summary>
    public RunOrigin Origin => new(
        Path.GetFullPath(_trunk.Run), _trunk.Step, Sha256.OfFile(Path.Combine(_trunk.Folder, ModelFolder.WeightsFile)));

    /// <summary>Reads a trunk, and makes sure that its past is that of a recipe; nothing is written.</summary>
    /// <param name="trunk">The checkpoint.</param>
    /// <param name="recipe">The recipe of the new run.</param>
    /// <param name="plan">It worked out.</param>
    /// <param name="planOf">Works out the recipe of the trunk, which has the same model.</param>
    /// <param name="read">Reads the checkpoint, where the growths before a step are those of a plan.</param>
    /// <exception cref="UserErrorException">The pasts differ, or the checkpoint is damaged.</exception>
    public static RunBranch Plan(
        NamedCheckpoint trunk, Recipe recipe, RunPlan plan, Func<Recipe, RunPlan> planOf, Func<string, RunPlan, TrainingState> read)
    {
        if (trunk.Step >= plan.TotalSteps)
        {
            throw new UserErrorException(
                $"{trunk.Name} has done as many steps as this run is to have, {plan.TotalSteps}, or more.",
                "Raise training.length, or go on from an earlier step.");
        }

        Recipe recipeOfTrunk = RunDirectory.RecipeAt(trunk.Run, trunk.Step);
        RunPlan planOfTrunk = planOf(recipeOfTrunk);
        TrainingState state = read(trunk.Folder, planOfTrunk);
        try
        {
            var past = SharedPast.Of(recipeOfTrunk, recipe, planOfTrunk, plan, state.Position.Losses, trunk.Step);
            if (past.Position is not TrainingPosition position)
            {
                throw new UserErrorException(
                    $"{trunk.Name} is not on the way of this recipe: {past.What}.{string.Concat(past.Differences.Select(line => "\n  " + line))}",
                    Advice);
            }

            if (EarlierDifference(trunk.Run, trunk.Step, recipe, plan, planOf, state.Position.Losses) is string earlier)
            {
                throw new UserErrorException($"{trunk.Name} is not on the way of this recipe: {earlier}.", "Go on from a checkpoint before that.");
            }

            if (position.Growths.Count != state.Position.Growths.Count)
            {
                throw new UserErrorException($"{trunk.Folder} is no checkpoint of its run: it has grown otherwise than {RunDirectory.RecipeFileOf(trunk.Run)} says.");
            }

            // Growth may have moved the schedule, by a step that depends on the length of the run; costs are what they were.
            state.Position = state.Position with
            {
                ScheduleStep = position.ScheduleStep,
                Growths = [.. position.Growths.Zip(state.Position.Growths, (here, there) => here with { Flops = there.Flops })],
                Losses = plan.LossInterval == state.Position.Losses.Interval ? state.Position.Losses : new LossCurve(plan.LossInterval),
            };
            return new RunBranch(trunk, state);
        }
        catch
        {
            state.Dispose();
            throw;
        }
    }

    /// <summary>The step of the last checkpoint of a run from which another recipe could go on; null for none.</summary>
    /// <param name="run">The run.</param>
    /// <param name="recipe">The other recipe, of the same model.</param>
    /// <param name="plan">It worked out.</param>
    /// <param name="planOf">Works out the recipes of the run.</param>
    /// <param name="losses">The loss that the run has had.</param>
    public static long? LastOnTheWay(string run, Recipe recipe, RunPlan plan, Func<Recipe, RunPlan> planOf, LossCurve losses) =>
        RunDirectory.CheckpointsOf(run).Select(folder => RunDirectory.StepOf(folder)!.Value).Reverse()
            .Select(step => (long?)step)
            .FirstOrDefault(step => IsOnTheWay(run, step!.Value, recipe, plan, planOf, losses));

    private static bool IsOnTheWay(
        string run, long step, Recipe recipe, RunPlan plan, Func<Recipe, RunPlan> planOf, LossCurve losses)
    {
        Recipe then = RunDirectory.RecipeAt(run, step);
        return step < plan.TotalSteps
            && SharedPast.Of(then, recipe, planOf(then), plan, losses, step).What is null
            && EarlierDifference(run, step, recipe, plan, planOf, losses) is null;
    }

    /// <summary>Where a run was prolonged before a step, its earlier recipes trained it too: what of them is not the past of another recipe.</summary>
    private static string? EarlierDifference(
        string run, long step, Recipe recipe, RunPlan plan, Func<Recipe, RunPlan> planOf, LossCurve losses)
    {
        foreach ((long until, Recipe earlier) in RunDirectory.EarlierRecipes(run).Where(made => made.Until < step))
        {
            var past = SharedPast.Of(earlier, recipe, planOf(earlier), plan, losses.UpTo(until), until);

            // Growth that moves the schedule leaves it elsewhere in a run of another length.
            if (past.What is string what || past.Position!.ScheduleStep != until)
            {
                return $"the run was prolonged at step {until}, and before it {past.What ?? "growth had moved its learning rate's schedule"}";
            }
        }

        return null;
    }

    /// <summary>Writes the trunk's rows of metrics and its state into a new run; the state last, so that a run that has it has all.</summary>
    /// <param name="run">The new run, without a checkpoint.</param>
    /// <param name="save">Writes a state as a checkpoint of the run, and names it the latest.</param>
    public void Write(RunDirectory run, Action<TrainingState> save)
    {
        string metrics = Path.Combine(_trunk.Run, Path.GetFileName(run.MetricsFile));
        MetricsRow[] rows = MetricsLog.Copy(metrics, run.MetricsFile, _trunk.Step);
        using (var tensorBoard = new TensorBoardWriter(run.TensorBoardFolder, 0))
        {
            foreach (MetricsRow row in rows)
            {
                tensorBoard.Scalars(row.Step, row.ToScalars());
            }

            tensorBoard.Flush();
        }

        save(_state);
    }

    /// <inheritdoc/>
    public void Dispose() => _state.Dispose();
}
