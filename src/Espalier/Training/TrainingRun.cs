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
    /// <exception cref="UserErrorException">
    /// There is no data, it does not fit the recipe, the folder holds something else, or the loss is no longer finite.
    /// </exception>
    public static RunResult Run(
        Recipe recipe, string folder, Action<TrainingProgress>? progress = null, CancellationToken stop = default)
    {
        Dataset data = Dataset.Open(recipe.Data.Path);
        using var trainer = new Trainer(recipe, data, progress);
        using RunDirectory run = RunDirectory.Open(folder, recipe);
        bool wasFinished = trainer.IsFinished(run);
        bool isFinished = trainer.Run(run, stop);
        return new RunResult(
            folder, trainer.TotalSteps,
            wasFinished ? RunEnd.ReachedBefore : isFinished ? RunEnd.Reached : RunEnd.Stopped);
    }
}
