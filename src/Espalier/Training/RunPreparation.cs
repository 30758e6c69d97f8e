namespace Espalier.Training;

/// <summary>All that a run needs before its first update, found and checked while nothing is written.</summary>
internal sealed class RunPreparation : IDisposable
{
    private RunPreparation(RunBranch? branch, RunProlonging? prolonging, RunBeginning? begins, long step, RunOutline outline) =>
        (Branch, Prolonging, Begins, Step, Outline) = (branch, prolonging, begins, step, outline);

    /// <summary>The checkpoint of another run to go on from; null for none.</summary>
    public RunBranch? Branch { get; }

    /// <summary>The recipe that the run has had until now; null where it has this one.</summary>
    public RunProlonging? Prolonging { get; }

    /// <summary>What the run begins from; null for one that goes on from a checkpoint of its own.</summary>
    public RunBeginning? Begins { get; }

    /// <summary>The updates that are done.</summary>
    public long Step { get; }

    /// <summary>Whether nothing is left to do.</summary>
    public bool IsFinished => Begins is null && Step == Outline.TotalSteps;

    /// <summary>What the run is about to do.</summary>
    public RunOutline Outline { get; }

    /// <summary>Prepares a run, or one that goes on.</summary>
    /// <param name="trainer">Of its recipe.</param>
    /// <param name="folder">The run's folder.</param>
    /// <param name="options">How it begins or goes on.</param>
    /// <exception cref="UserErrorException">Something is not there, does not fit, or the machine has no room for it.</exception>
    public static RunPreparation Of(Trainer trainer, string folder, RunOptions options)
    {
        if (options.Prolong && options.From is not null)
        {
            throw new UserErrorException(
                "A run is either prolonged or begun from another.", "Leave out --from to go on in the same folder, or --prolong to begin in a new one.");
        }

        RunProlonging? prolonging = options.Prolong ? trainer.Prolonging(folder) : null;
        string? latest = RunDirectory.LatestCheckpointOf(folder);
        RunBranch? branch = options.From is string from && latest is null ? trainer.BranchFrom(NamedCheckpoint.Find(from)) : null;
        try
        {
            RunBeginning? begins = latest is not null ? null : new RunBeginning(
                branch?.Origin, branch is null ? trainer.FindInitial()?.Record : RunLog.Open(branch.Trunk.Run).Initial);
            long step = branch?.Trunk.Step ?? (latest is null ? 0 : RunDirectory.StepOf(latest) ?? 0);
            RunOutline outline = trainer.Outline(folder, step);
            if (step < outline.TotalSteps)
            {
                outline.RequireRoom();
            }

            return new RunPreparation(branch, prolonging, begins, step, outline);
        }
        catch
        {
            branch?.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Branch?.Dispose();
}
