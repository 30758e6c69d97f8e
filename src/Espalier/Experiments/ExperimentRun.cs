using System.Globalization;
using Espalier.Configuration;
using Espalier.Reporting;
using Espalier.Training;

namespace Espalier.Experiments;

/// <summary>One run of an experiment: an arm at a budget, with a learning rate and a seed.</summary>
/// <param name="Arm">The arm's name.</param>
/// <param name="Budget">The FLOPs that it may spend.</param>
/// <param name="LearningRate">The peak.</param>
/// <param name="Seed">The seed.</param>
/// <param name="Recipe">The whole recipe, as long as the budget lasts.</param>
public sealed record ExperimentRun(string Arm, double Budget, double LearningRate, ulong Seed, Recipe Recipe)
{
    private const int KeyLength = 12;

    /// <summary>The updates that the budget lasts for.</summary>
    public required long Steps { get; init; }

    /// <summary>
    /// What they are expected to cost, the vocabulary head and growth itself included; at most, where growth waits for the loss: as if
    /// it came at once.
    /// </summary>
    public required double ExpectedFlops { get; init; }

    /// <summary>The updates of its stable phase, which runs of larger budgets may share; 0 where its schedule has none.</summary>
    public required long StableSteps { get; init; }

    /// <summary>The recipe as it is trained: it keeps the end of the stable phase, so that longer runs can go on from there.</summary>
    public Recipe TrainedRecipe => StableSteps == 0 ? Recipe : Recipe with
    {
        Checkpoint = Recipe.Checkpoint with { At = [.. Recipe.Checkpoint.At, Duration.Steps(StableSteps)] },
    };

    /// <summary>
    /// Names what the run does: the hash of its resolved recipe and of its data, whatever the experiment calls it. Two experiments
    /// share the runs that both have.
    /// </summary>
    public required string Key { get; init; }

    /// <summary>The name of its folder.</summary>
    public string FolderName => string.Create(
        CultureInfo.InvariantCulture, $"{FileName(Arm)}-{Budget:0.##e0}-{LearningRate:0.####e0}-s{Seed}-{Key}");

    /// <summary>The key of a recipe on some data.</summary>
    /// <param name="recipe">The recipe.</param>
    /// <param name="data">What tells the data apart.</param>
    internal static string KeyOf(Recipe recipe, string data)
    {
        // Values that are their keys' defaults are left out, so that a new key does not make other runs of all that there are.
        var said = ConfigKeys.Chosen((recipe with { Name = "", Data = recipe.Data with { Path = data } }).Resolve());
        return Sha256.Of(string.Concat(said.Select(leaf => $"{leaf.Key}: {ConfigValue.Format(leaf.Value)}\n")))[..KeyLength];
    }

    /// <summary>Its folder among others: the one that is there, whatever name another experiment gave it, or the one to make.</summary>
    /// <param name="pool">The folder that holds the runs.</param>
    public string FolderIn(string pool) =>
        Namesakes(pool).FirstOrDefault(folder => StrangenessOf(folder) is null)
        ?? Enumerable.Range(1, int.MaxValue).Select(i => Path.Combine(pool, i == 1 ? FolderName : $"{FolderName}-{i}"))
            .First(folder => !Directory.Exists(folder));

    /// <summary>
    /// The folders that bear its key and hold the run of another recipe, each in words: a default that has changed since is in no key.
    /// </summary>
    /// <param name="pool">The folder that holds the runs.</param>
    internal IEnumerable<string> StrangersIn(string pool) => Namesakes(pool)
        .Select(folder => (folder, Strangeness: StrangenessOf(folder))).Where(of => of.Strangeness is not null)
        .Select(of => $"{of.folder} is left alone, for it is the run of another recipe: {of.Strangeness}");

    private IEnumerable<string> Namesakes(string pool) =>
        Directory.Exists(pool) ? Directory.EnumerateDirectories(pool, $"*-{Key}*").Order(StringComparer.Ordinal) : [];

    /// <summary>In what its recipe differs from that of a folder; null where it does not, or the folder has none yet.</summary>
    private string? StrangenessOf(string folder)
    {
        string file = RunDirectory.RecipeFileOf(folder);
        if (!File.Exists(file))
        {
            return null;
        }

        try
        {
            Recipe there = RecipeReader.Read(file), here = TrainedRecipe;
            string[] differences =
            [
                .. RecipeDifference.Describe(
                    there with { Name = here.Name, Data = there.Data with { Path = here.Data.Path }, Checkpoint = there.Checkpoint with { At = here.Checkpoint.At } },
                    here, "there", "here"),
            ];
            return differences.Length > 0 ? string.Join("; ", differences) : null;
        }
        catch (UserErrorException exception)
        {
            return exception.Message;
        }
    }

    /// <summary>The end of its stable phase as `--from` names it; null where that is not on disk.</summary>
    /// <param name="pool">The folder that holds the runs.</param>
    public string? TrunkIn(string pool)
    {
        string folder = FolderIn(pool);
        return StableSteps > 0 && RunDirectory.CheckpointsOf(folder).Any(checkpoint => RunDirectory.StepOf(checkpoint) == StableSteps)
            ? string.Create(CultureInfo.InvariantCulture, $"{folder}@{StableSteps}") : null;
    }

    /// <summary>The FLOPs that it took over from the run that it went on from; 0 where it began at step 0.</summary>
    /// <param name="pool">The folder that holds the runs.</param>
    /// <exception cref="UserErrorException">Its log or its metrics are damaged.</exception>
    public double SharedFlopsIn(string pool)
    {
        string folder = FolderIn(pool);
        return RunLog.Open(folder).From is RunOrigin origin
            ? RunMetrics.Load(folder).Rows.LastOrDefault(row => row.Step <= origin.Step) is { } row ? Cost.Of(row).Flops : 0
            : 0;
    }

    /// <summary>What it came to; null where it is not at its end.</summary>
    /// <param name="pool">The folder that holds the runs.</param>
    /// <exception cref="UserErrorException">Its metrics are damaged.</exception>
    public FinishedRun? ResultIn(string pool)
    {
        string folder = FolderIn(pool);
        if (RunDirectory.LatestCheckpointOf(folder) is not string checkpoint || RunDirectory.StepOf(checkpoint) != Steps)
        {
            return null;
        }

        MetricsRow last = RunMetrics.Load(folder).Rows[^1];
        return last.ValidLoss is double loss
            ? new FinishedRun(this, folder, loss, Cost.Of(last), SharedFlopsIn(pool))
            : throw new UserErrorException(
                $"{folder} is at its end and has no held-out loss in its last row.", "Delete the folder: the run is made again.");
    }

    private static string FileName(string arm) =>
        new([.. arm.Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' ? c : '-')]);
}

/// <summary>A run that is at its end.</summary>
/// <param name="Run">The run.</param>
/// <param name="Folder">Its folder.</param>
/// <param name="Loss">The held-out loss of its last update, in nats a token.</param>
/// <param name="Cost">What it has cost from its first update on, growth and trials included.</param>
/// <param name="SharedFlops">The part of it that another run had spent already.</param>
public sealed record FinishedRun(ExperimentRun Run, string Folder, double Loss, Cost Cost, double SharedFlops)
{
    /// <summary>The part that it spent itself.</summary>
    public double SpentFlops => Cost.Flops - SharedFlops;
}
