using Espalier.Data;
using Espalier.Distributed;

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
    /// <summary>The training loss at the end, smoothed over some twenty steps; null where nothing was trained.</summary>
    public double? Loss { get; init; }

    /// <summary>The last held-out loss that was measured; null where none was.</summary>
    public double? ValidLoss { get; init; }

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
        using var threads = ThreadChoice.Of(recipe, folder, options.ChooseThreads);
        TrainingProgress? last = null;
        using var trainer = new Trainer(
            recipe,
            Dataset.Open(recipe.Data.Path),
            made =>
            {
                last = made;
                progress?.Invoke(made);
            },
            options.Ranks)
        {
            Warn = options.Warn,
        };
        using var preparation = RunPreparation.Of(trainer, folder, options);
        trainer.RequireSameOnAllRanks(preparation.Step);
        if (!options.Ranks.IsFirst)
        {
            return Follow(trainer, preparation, folder, options.Ranks, stop);
        }

        using RunDirectory run = RunDirectory.Open(folder, preparation.Prolonging?.Before ?? recipe);
        var log = RunLog.Open(run.Path);
        RequireOrigin(folder, log, preparation, options);
        if (trainer.IsFinished(run))
        {
            return new RunResult(folder, trainer.TotalSteps, RunEnd.ReachedBefore);
        }

        string[] changes = [.. log.Begin(trainer.Machine, preparation.Step, preparation.Begins, preparation.Prolonging?.Changes)];
        if (preparation.Prolonging is RunProlonging prolonging)
        {
            run.Prolong(recipe, prolonging.Step);
            Warn(options, prolonging.Warning);
        }

        if (changes.Length > 0)
        {
            options.Warn?.Invoke(
                $"{folder} goes on with {string.Join(", ", changes)}: from here on its bytes may be others than those of an uninterrupted run.");
        }

        options.Begins?.Invoke(preparation.Outline);
        Warn(options, threads.Warning);
        Warn(options, preparation.Outline.Doubt);
        Warn(options, RankAgreement.Slowness(options.Ranks, Trainer.DeviceOf(recipe, options.Ranks)));

        try
        {
            if (preparation.Branch is RunBranch branch)
            {
                trainer.Begin(run, branch);
            }

            options.Ranks.Meet();
            bool isFinished = trainer.Run(run, stop);
            log.End(isFinished ? RunLog.Ending.Finished : RunLog.Ending.Stopped, Step());
            return new RunResult(folder, trainer.TotalSteps, isFinished ? RunEnd.Reached : RunEnd.Stopped)
            {
                Loss = last?.Loss,
                ValidLoss = last?.ValidLoss,
            };
        }
        catch (Exception exception)
        {
            log.End(RunLog.Ending.Error, Step(), exception.Message);
            throw;
        }

        long Step() => last?.Step ?? preparation.Step;
    }

    /// <summary>What a rank does that is not the first: it trains, and reads what the first writes.</summary>
    private static RunResult Follow(Trainer trainer, RunPreparation preparation, string folder, Ranks ranks, CancellationToken stop)
    {
        if (preparation.IsFinished)
        {
            return new RunResult(folder, trainer.TotalSteps, RunEnd.ReachedBefore);
        }

        ranks.Meet();
        using var run = RunDirectory.Follow(folder);
        return new RunResult(folder, trainer.TotalSteps, trainer.Run(run, stop) ? RunEnd.Reached : RunEnd.Stopped);
    }

    /// <summary>Checks all that a run checks before its first update, and writes nothing.</summary>
    /// <param name="recipe">What to do.</param>
    /// <param name="folder">The folder of the run, which need not exist.</param>
    /// <param name="options">How it begins or goes on; by default as its recipe says.</param>
    /// <returns>What the run would do, and needs.</returns>
    /// <exception cref="UserErrorException">What <see cref="Run"/> would refuse.</exception>
    public static RunOutline Check(Recipe recipe, string folder, RunOptions? options = null)
    {
        options ??= new RunOptions();
        using var threads = ThreadChoice.Of(recipe, folder, options.ChooseThreads);
        using var trainer = new Trainer(recipe, Dataset.Open(recipe.Data.Path), ranks: options.Ranks);
        using var preparation = RunPreparation.Of(trainer, folder, options);
        RunDirectory.Require(folder, preparation.Prolonging?.Before ?? recipe);
        Warn(options, preparation.Prolonging?.Warning);
        Warn(options, threads.Warning);
        RequireOrigin(folder, RunLog.Open(folder), preparation, options);
        return preparation.Outline;
    }

    private static void Warn(RunOptions options, string? what)
    {
        if (what is not null)
        {
            options.Warn?.Invoke(what);
        }
    }

    /// <summary>A run that has begun goes on from its own checkpoint; the command may still say where it came from.</summary>
    private static void RequireOrigin(string folder, RunLog log, RunPreparation preparation, RunOptions options)
    {
        if (preparation.Branch is null && options.From is string named
            && !(log.From is RunOrigin origin && NamedCheckpoint.IsNameOf(named, origin)))
        {
            throw new UserErrorException(
                $"{folder} has begun already, {(log.From is null ? "at step 0" : $"from {log.From.Run}@{log.From.Step}")}, and not from {named}.",
                "Leave --from out to go on with it, or choose another run folder.");
        }
    }
}
