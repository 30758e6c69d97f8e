using Espalier.Data;

namespace Espalier.Training;

/// <summary>Why training left a run.</summary>
public enum RunEnd
{
    /// <summary>It was asked to stop; the state is saved, and the same call goes on.</summary>
    Stopped,

    /// <summary>The run has reached the end of its recipe.</summary>
    Reached,

    /// <summary>The run was at its end already; nothing was done.</summary>
    ReachedBefore,
}

/// <summary>What training a run came to.</summary>
/// <param name="Folder">The folder of the run.</param>
/// <param name="TotalSteps">The updates of the whole run.</param>
/// <param name="End">Why training left it.</param>
public sealed record RunResult(string Folder, long TotalSteps, RunEnd End)
{
    /// <summary>Whether the run is at its end.</summary>
    public bool IsFinished => End != RunEnd.Stopped;
}

/// <summary>A training run from its recipe to its folder.</summary>
public static class TrainingRun
{
    /// <summary>Trains by a recipe, or goes on with the run that the folder holds, to the end.</summary>
    /// <param name="recipe">What to do.</param>
    /// <param name="folder">The folder of the run.</param>
    /// <param name="progress">Hears of every step, evaluation and checkpoint.</param>
    /// <param name="stop">Asks the run to save its state after the current step and to leave.</param>
    /// <param name="options">How it begins or goes on; by default as its recipe says.</param>
    /// <exception cref="UserErrorException">
    /// There is no data, it does not fit the recipe, the folder holds something else, or the loss is no longer finite.
    /// </exception>
    public static RunResult Run(
        Recipe recipe, string folder, Action<TrainingProgress>? progress = null, CancellationToken stop = default, RunOptions? options = null)
    {
        options ??= new RunOptions();
        long step = 0;
        Dataset data = Dataset.Open(recipe.Data.Path);
        using var trainer = new Trainer(recipe, data, made =>
        {
            step = made.Step;
            progress?.Invoke(made);
        });
        bool begins = RunDirectory.LatestCheckpointOf(folder) is null;
        using RunBranch? branch = options.From is string from && begins ? trainer.BranchFrom(NamedCheckpoint.Find(from)) : null;
        RunInitial? initial = !begins ? null
            : branch is null ? trainer.FindInitial()?.Record
            : RunLog.Open(branch.Trunk.Run).Initial;
        using RunDirectory run = RunDirectory.Open(folder, recipe);
        var log = RunLog.Open(run.Path);
        if (branch is null && options.From is string origin)
        {
            CheckOrigin(folder, log.From, origin);
        }

        if (trainer.IsFinished(run))
        {
            return new RunResult(folder, trainer.TotalSteps, RunEnd.ReachedBefore);
        }

        step = branch?.Trunk.Step ?? (run.LatestCheckpoint is string latest ? RunDirectory.StepOf(latest)!.Value : 0);
        string[] changes = [.. log.Begin(trainer.Machine, step, begins ? new RunBeginning(branch?.Origin, initial) : null)];
        if (changes.Length > 0)
        {
            options.Warn?.Invoke(
                $"{folder} goes on with {string.Join(", ", changes)}: from here on its bytes may be others than those of an uninterrupted run.");
        }

        try
        {
            if (branch is not null)
            {
                trainer.Begin(run, branch);
            }

            bool isFinished = trainer.Run(run, stop);
            log.End(isFinished ? RunLog.Ending.Finished : RunLog.Ending.Stopped, step);
            return new RunResult(folder, trainer.TotalSteps, isFinished ? RunEnd.Reached : RunEnd.Stopped);
        }
        catch (Exception exception)
        {
            log.End(RunLog.Ending.Error, step, exception.Message);
            throw;
        }
    }

    /// <summary>A run that has begun goes on from its own checkpoint; the command may still say where it came from.</summary>
    private static void CheckOrigin(string folder, RunOrigin? origin, string named)
    {
        if (origin is null || !NamedCheckpoint.IsNameOf(named, origin))
        {
            throw new UserErrorException(
                $"{folder} has begun already, {(origin is null ? "at step 0" : $"from {origin.Run}@{origin.Step}")}, and not from {named}.",
                "Leave --from out to go on with it, or choose another run folder.");
        }
    }
}
