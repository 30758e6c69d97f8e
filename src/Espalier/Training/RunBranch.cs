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

        Recipe recipeOfTrunk = RecipeReader.Read(RunDirectory.RecipeFileOf(trunk.Run));
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
