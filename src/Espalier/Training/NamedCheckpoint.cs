using System.Globalization;

namespace Espalier.Training;

/// <summary>A checkpoint of a run as a command line names it: <c>RUN@STEP</c>, or <c>RUN</c> for its latest.</summary>
/// <param name="Run">The folder of the run.</param>
/// <param name="Step">The updates done by then.</param>
/// <param name="Folder">The folder of the checkpoint.</param>
internal sealed record NamedCheckpoint(string Run, long Step, string Folder)
{
    /// <summary>As the command line names it.</summary>
    public string Name => NameOf(Run, Step);

    /// <summary>Whether a name has the form <c>RUN@STEP</c>; a folder of that very name comes first.</summary>
    public static bool HasStep(string name) => !Directory.Exists(name) && Parts(name) is not null;

    /// <summary>Whether a name is, or may have been, that of a run's origin: a name without a step was that of the latest then.</summary>
    public static bool IsNameOf(string name, RunOrigin origin)
    {
        (string run, long? step) = HasStep(name) ? Parts(name)!.Value : (name, null);
        return Path.TrimEndingDirectorySeparator(Path.GetFullPath(run)) == origin.Run && (step ?? origin.Step) == origin.Step;
    }

    /// <summary>Finds a checkpoint.</summary>
    /// <param name="name"><c>RUN@STEP</c> or <c>RUN</c>.</param>
    /// <exception cref="UserErrorException">There is no such run, or it has no such checkpoint; the message lists those that it has.</exception>
    public static NamedCheckpoint Find(string name)
    {
        (string run, long? asked) = HasStep(name) ? Parts(name)!.Value : (name, null);
        run = Path.TrimEndingDirectorySeparator(run);
        if (!RunDirectory.IsRun(run))
        {
            throw new UserErrorException(
                $"{run} is no run: it holds no {Path.GetFileName(RunDirectory.RecipeFileOf(run))}.",
                "Name the folder of a run and one of its checkpoints: runs/trunk@3000.");
        }

        (long Step, string Folder)[] all = [.. RunDirectory.CheckpointsOf(run).Select(folder => (RunDirectory.StepOf(folder)!.Value, folder))];
        if (all.Length == 0)
        {
            throw new UserErrorException($"{run} has no checkpoint yet.", "Let it run to its first one.");
        }

        long step = asked ?? RunDirectory.StepOf(RunDirectory.LatestCheckpointOf(run) ?? all[^1].Folder)!.Value;
        return all.Where(made => made.Step == step).Select(made => new NamedCheckpoint(run, made.Step, made.Folder)).FirstOrDefault()
            ?? throw new UserErrorException(
                $"{run} has no checkpoint of step {step}: it has those of {Listed(all.Select(made => made.Step))}.",
                $"Name one of them, such as {NameOf(run, all[^1].Step)}. Which stay on disk, checkpoint.at and checkpoint.keep of the run's recipe say.");
    }

    private static string NameOf(string run, long step) => string.Create(CultureInfo.InvariantCulture, $"{run}@{step}");

    private static string Listed(IEnumerable<long> steps) =>
        "step " + string.Join(", ", steps.Select(step => step.ToString(CultureInfo.InvariantCulture)));

    private static (string Run, long? Step)? Parts(string name)
    {
        int at = name.LastIndexOf('@');
        return at > 0 && long.TryParse(name[(at + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out long step)
            ? (name[..at], step)
            : null;
    }
}
