using System.Globalization;

namespace Espalier.Training;

/// <summary>
/// The folder of a run: its recipe, metrics and checkpoints. The same command on an existing folder goes on where the
/// run was; a lock keeps two processes from writing to one run.
/// </summary>
public sealed class RunDirectory : IDisposable
{
    private const string RecipeName = "recipe.yaml";
    private const string EarlierPrefix = "recipe-until-", EarlierSuffix = ".yaml";
    private const string Prefix = "step-";
    private const string CheckpointsName = "checkpoints";
    internal const string LatestName = "latest";

    // Null where this process only reads.
    private readonly FileStream? _lock;

    // Where the kernel says that the lock lies; null on a system that does not say.
    private readonly string? _lockPlace;

    private RunDirectory(string path, FileStream? runLock)
    {
        Path = path;
        _lock = runLock;
        _lockPlace = PlaceOfLock();
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Rows of metrics.</summary>
    public string MetricsFile => System.IO.Path.Combine(Path, "metrics.csv");

    /// <summary>Events for TensorBoard.</summary>
    public string TensorBoardFolder => System.IO.Path.Combine(Path, "tensorboard");

    private string RecipeFile => RecipeFileOf(Path);

    private string Checkpoints => System.IO.Path.Combine(Path, CheckpointsName);

    private string LatestFile => System.IO.Path.Combine(Checkpoints, LatestName);

    /// <summary>Opens the folder of a run: makes it, or finds the run that it holds.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="recipe">
    /// The recipe; an existing run must have the same one, unless it ended before its first checkpoint: then it is void,
    /// and this recipe's run takes its place.
    /// </param>
    /// <exception cref="UserErrorException">It holds another run or something else, is in use, or cannot be written.</exception>
    public static RunDirectory Open(string path, Recipe recipe)
    {
        try
        {
            path = System.IO.Path.GetFullPath(path);
            Directory.CreateDirectory(path);
            CheckIsRunOrEmpty(path);
            var runLock = new FileStream(
                System.IO.Path.Combine(path, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            var directory = new RunDirectory(path, runLock);
            try
            {
                directory.CheckRecipe(recipe);
                Directory.CreateDirectory(directory.Checkpoints);
                return directory;
            }
            catch
            {
                directory.Dispose();
                throw;
            }
        }
        catch (IOException exception) when (FolderLock.IsHeld(exception))
        {
            throw new UserErrorException(
                $"{path} is in use by another process.", "Wait for it, or choose another run folder.", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException(
                $"The run folder {path} cannot be written: {exception.Message}",
                "Choose a folder that you may write to.",
                exception);
        }
    }

    /// <summary>The folder of a run that another rank writes to: this process reads it.</summary>
    internal static RunDirectory Follow(string path) => new(System.IO.Path.GetFullPath(path), null);

    /// <summary>Makes sure that <see cref="Open"/> would take a folder for a run of a recipe, and writes nothing.</summary>
    /// <param name="path">The folder, which need not exist.</param>
    /// <param name="recipe">The recipe.</param>
    /// <exception cref="UserErrorException">It holds another run or something else.</exception>
    internal static void Require(string path, Recipe recipe)
    {
        path = System.IO.Path.GetFullPath(path);
        if (File.Exists(path))
        {
            throw new UserErrorException($"{path} is a file.", "Choose an empty or a new folder for the run.");
        }

        if (Directory.Exists(path))
        {
            CheckIsRunOrEmpty(path);
            if (IsRun(path) && !IsVoid(path))
            {
                RequireSame(path, recipe);
            }
        }
    }

    /// <summary>Whether a process writes to a run.</summary>
    /// <param name="path">The folder of the run, which need not be there.</param>
    public static bool IsInUse(string path)
    {
        try
        {
            using var tried = new FileStream(
                System.IO.Path.Combine(path, ".lock"), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return false;
        }
        catch (IOException exception)
        {
            return FolderLock.IsHeld(exception);
        }
        catch (UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>The folder of the last complete checkpoint of the run, or null.</summary>
    public string? LatestCheckpoint => LatestCheckpointOf(Path);

    /// <summary>The folder of the last complete checkpoint of a run, or null where there is none, or no run.</summary>
    /// <param name="run">The folder of a run, which another process may be writing to.</param>
    /// <exception cref="UserErrorException">The checkpoint that the run names is not there.</exception>
    public static string? LatestCheckpointOf(string run)
    {
        string checkpoints = System.IO.Path.Combine(run, CheckpointsName);
        string latest = System.IO.Path.Combine(checkpoints, LatestName);
        if (!File.Exists(latest))
        {
            return null;
        }

        string name = File.ReadAllText(latest).Trim();
        string folder = System.IO.Path.Combine(checkpoints, name);
        return StepOf(folder) is not null && System.IO.Path.GetFileName(name) == name && Directory.Exists(folder)
            ? folder
            : throw new UserErrorException(
                $"{latest} does not name a checkpoint: '{name}' is not there.",
                $"Write the name of a complete checkpoint into {latest}, or delete the file to begin anew.");
    }

    /// <summary>Whether a folder is that of a run.</summary>
    internal static bool IsRun(string folder) => File.Exists(RecipeFileOf(folder));

    /// <summary>The recipe of a run.</summary>
    internal static string RecipeFileOf(string run) => System.IO.Path.Combine(run, RecipeName);

    /// <summary>The recipes that a run had before it was prolonged, each with the step that it trained to; none where it never was.</summary>
    internal static IEnumerable<(long Until, Recipe Recipe)> EarlierRecipes(string run) =>
        Directory.EnumerateFiles(run, EarlierPrefix + "*" + EarlierSuffix).Order(StringComparer.Ordinal)
            .Where(file => EarlierStep(file) is not null)
            .Select(file => (EarlierStep(file)!.Value, RecipeReader.Read(file)));

    /// <summary>The recipe by which a run made the update that ended at a step.</summary>
    internal static Recipe RecipeAt(string run, long step) =>
        EarlierRecipes(run).Where(earlier => earlier.Until >= step).Select(earlier => earlier.Recipe).FirstOrDefault()
            ?? RecipeReader.Read(RecipeFileOf(run));

    private static long? EarlierStep(string file)
    {
        string name = System.IO.Path.GetFileName(file)[EarlierPrefix.Length..^EarlierSuffix.Length];
        return long.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out long step) ? step : null;
    }

    /// <summary>All checkpoints of a run, the oldest first; none where there is no run. Folders of other names are somebody else's.</summary>
    internal static string[] CheckpointsOf(string run)
    {
        string checkpoints = System.IO.Path.Combine(run, CheckpointsName);
        return Directory.Exists(checkpoints)
            ? [.. Directory.EnumerateDirectories(checkpoints).Where(folder => StepOf(folder) is not null)
                .OrderBy(StepOf).ThenBy(folder => folder, StringComparer.Ordinal)] : [];
    }

    /// <summary>The step of a checkpoint; null where its name is another folder's.</summary>
    internal static long? StepOf(string checkpoint)
    {
        string name = System.IO.Path.GetFileName(checkpoint);
        return name.StartsWith(Prefix, StringComparison.Ordinal)
            && long.TryParse(name[Prefix.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out long step)
            && name == NameOf(step)
            ? step
            : null;
    }

    /// <summary>The folder of the checkpoint after a step.</summary>
    public string CheckpointFolder(long step) => System.IO.Path.Combine(Checkpoints, NameOf(step));

    /// <summary>Gives the run another recipe from a step on; the one that it had stays beside it.</summary>
    internal void Prolong(Recipe recipe, long step)
    {
        string earlier = System.IO.Path.Combine(
            Path, string.Create(CultureInfo.InvariantCulture, $"{EarlierPrefix}{step:D8}{EarlierSuffix}"));

        // Where one is there, the recipe in between has trained nothing.
        if (!File.Exists(earlier))
        {
            AtomicFile.Write(earlier, File.ReadAllText(RecipeFile));
        }

        AtomicFile.Write(RecipeFile, RecipeWriter.Write(recipe));
    }

    /// <summary>The steps whose checkpoints stay on disk: those of a recipe, and of the recipes that the run had before.</summary>
    /// <param name="tokensPerStep">The tokens of an update, which no recipe of a run may change.</param>
    /// <param name="staying">Those of the recipe.</param>
    internal IReadOnlySet<long> Staying(long tokensPerStep, IReadOnlySet<long> staying) => EarlierRecipes(Path)
        .SelectMany(earlier => earlier.Recipe.Checkpoint.At.Select(point => point.ToSteps(
            earlier.Recipe.Training.Length.ToSteps(0, tokensPerStep), tokensPerStep)))
        .Concat(staying).ToHashSet();

    /// <summary>Names a complete checkpoint the latest, and deletes all but the newest few.</summary>
    /// <param name="folder">The checkpoint.</param>
    /// <param name="keep">How many of the newest stay.</param>
    /// <param name="stay">The steps whose checkpoints stay besides; null for none.</param>
    public void SetLatest(string folder, int keep, IReadOnlySet<long>? stay = null)
    {
        AtomicFile.Write(LatestFile, System.IO.Path.GetFileName(folder) + "\n");
        string[] complete = CheckpointsOf(Path);

        // A later one than the latest was left by an attempt that was killed before it could be named.
        string[] upToLatest = [.. complete.Where(other => StepOf(other) <= StepOf(folder))];
        string[] staying = [.. upToLatest.Where(other => StepOf(other) is long step && stay?.Contains(step) == true)];
        foreach (string old in complete.Except(upToLatest.Except(staying).TakeLast(keep)).Except(staying))
        {
            Directory.Delete(old, recursive: true);
        }
    }

    /// <summary>Makes sure that the folder is the one that was opened: what is saved elsewhere, nobody would look for.</summary>
    /// <exception cref="UserErrorException">It was deleted or moved meanwhile.</exception>
    internal void RequireThere()
    {
        if (_lock is null || !File.Exists(_lock.Name) || PlaceOfLock() != _lockPlace)
        {
            throw new UserErrorException(
                $"The run folder {Path} was deleted or moved while the run trained: nothing more is saved.",
                "If it was moved, name it where it is now: the run goes on from its last checkpoint.");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _lock?.Dispose();

    private static string NameOf(long step) => Prefix + step.ToString("D8", CultureInfo.InvariantCulture);

    private string? PlaceOfLock() => OperatingSystem.IsLinux() && _lock is not null
        ? File.ResolveLinkTarget(
            string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{_lock.SafeFileHandle.DangerousGetHandle()}"),
            returnFinalTarget: false)?.FullName
        : null;

    private static void CheckIsRunOrEmpty(string path)
    {
        // Hidden files are the lock, or what a kill left of writing the recipe.
        bool isRunOrEmpty = File.Exists(System.IO.Path.Combine(path, RecipeName))
            || Directory.EnumerateFileSystemEntries(path).All(entry => System.IO.Path.GetFileName(entry).StartsWith('.'));
        if (!isRunOrEmpty)
        {
            throw new UserErrorException(
                $"{path} holds other files, but no run.", "Choose an empty or a new folder for the run.");
        }
    }

    private void CheckRecipe(Recipe recipe)
    {
        if (!File.Exists(RecipeFile))
        {
            AtomicFile.Write(RecipeFile, RecipeWriter.Write(recipe));
        }
        else if (IsVoid(Path))
        {
            Replace(RecipeWriter.Write(recipe));
        }
        else
        {
            RequireSame(Path, recipe);
        }
    }

    private static void RequireSame(string path, Recipe recipe)
    {
        IReadOnlyList<string> differences = RecipeDifference.Describe(
            RecipeReader.Read(RecipeFileOf(path)), recipe, "in the run", "in the recipe");
        if (differences.Count > 0)
        {
            throw new UserErrorException(
                $"{path} is the run of another recipe:\n  " + string.Join("\n  ", differences),
                "Choose another run folder, or go on with the recipe that the run began with.");
        }
    }

    /// <summary>
    /// Whether a run began here that nothing is left of to go on from. A recipe that a person put here is none, nor is a
    /// run whose checkpoints were deleted with their folder: its metrics may be all that somebody kept.
    /// </summary>
    private static bool IsVoid(string path)
    {
        string checkpoints = System.IO.Path.Combine(path, CheckpointsName);
        return Directory.Exists(checkpoints)
            && !File.Exists(System.IO.Path.Combine(checkpoints, LatestName))
            && CheckpointsOf(path).Length == 0
            && File.ReadLines(RecipeFileOf(path)).FirstOrDefault() == RecipeWriter.FirstLine;
    }

    private void Replace(string recipe)
    {
        if (File.ReadAllText(RecipeFile) == recipe)
        {
            return;
        }

        File.Delete(MetricsFile);
        if (Directory.Exists(TensorBoardFolder))
        {
            Directory.Delete(TensorBoardFolder, recursive: true);
        }

        AtomicFile.Write(RecipeFile, recipe);
    }
}
