using System.Globalization;
using System.Text.RegularExpressions;

namespace Espalier.Training;

/// <summary>
/// The folder of a run: its recipe, metrics and checkpoints. The same command on an existing folder goes on where the
/// run was; a lock keeps two processes from writing to one run.
/// </summary>
public sealed partial class RunDirectory : IDisposable
{
    private const string RecipeName = "recipe.yaml";
    private const string Prefix = "step-";
    private const string CheckpointsName = "checkpoints";
    internal const string LatestName = "latest";

    private readonly FileStream _lock;

    // Where the kernel says that the lock lies; null on a system that does not say.
    private readonly string? _lockPlace;

    private RunDirectory(string path, FileStream runLock)
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

    private string RecipeFile => System.IO.Path.Combine(Path, RecipeName);

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
        return CheckpointName().IsMatch(name) && Directory.Exists(folder)
            ? folder
            : throw new UserErrorException(
                $"{latest} does not name a checkpoint: '{name}' is not there.",
                $"Write the name of a complete checkpoint into {latest}, or delete the file to begin anew.");
    }

    /// <summary>All checkpoints of a run, the oldest first; none where there is no run. Folders of other names are somebody else's.</summary>
    internal static string[] CheckpointsOf(string run)
    {
        string checkpoints = System.IO.Path.Combine(run, CheckpointsName);
        return Directory.Exists(checkpoints)
            ? [.. Directory.EnumerateDirectories(checkpoints).Where(folder => CheckpointName().IsMatch(System.IO.Path.GetFileName(folder)))
                .OrderBy(StepOf).ThenBy(folder => folder, StringComparer.Ordinal)] : [];
    }

    /// <summary>The folder of the checkpoint after a step.</summary>
    public string CheckpointFolder(long step) =>
        System.IO.Path.Combine(Checkpoints, Prefix + step.ToString("D8", CultureInfo.InvariantCulture));

    /// <summary>Names a complete checkpoint the latest, and deletes all but the newest few.</summary>
    public void SetLatest(string folder, int keep)
    {
        AtomicFile.Write(LatestFile, System.IO.Path.GetFileName(folder) + "\n");
        string[] complete = CheckpointsOf(Path);

        // A later one than the latest was left by an attempt that was killed before it could be named.
        string[] upToLatest = [.. complete.Where(other => StepOf(other) <= StepOf(folder))];
        foreach (string old in complete.Except(upToLatest.TakeLast(keep)))
        {
            Directory.Delete(old, recursive: true);
        }
    }

    /// <summary>Makes sure that the folder is the one that was opened: what is saved elsewhere, nobody would look for.</summary>
    /// <exception cref="UserErrorException">It was deleted or moved meanwhile.</exception>
    internal void RequireThere()
    {
        if (!File.Exists(_lock.Name) || PlaceOfLock() != _lockPlace)
        {
            throw new UserErrorException(
                $"The run folder {Path} was deleted or moved while the run trained: nothing more is saved.",
                "If it was moved, name it where it is now: the run goes on from its last checkpoint.");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _lock.Dispose();

    [GeneratedRegex(@"^step-([0-9]{8}|[1-9][0-9]{8,17})$")]
    private static partial Regex CheckpointName();

    private static long StepOf(string checkpoint) => long.Parse(
        System.IO.Path.GetFileName(checkpoint).AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture);

    private string? PlaceOfLock() => OperatingSystem.IsLinux()
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
            return;
        }

        if (IsVoid)
        {
            Replace(RecipeWriter.Write(recipe));
            return;
        }

        IReadOnlyList<string> differences = RecipeDifference.Describe(
            RecipeReader.Read(RecipeFile), recipe, "in the run", "in the recipe");
        if (differences.Count > 0)
        {
            throw new UserErrorException(
                $"{Path} is the run of another recipe:\n  " + string.Join("\n  ", differences),
                "Choose another run folder, or go on with the recipe that the run began with.");
        }
    }

    /// <summary>
    /// Whether a run began here that nothing is left of to go on from. A recipe that a person put here is none, nor is a
    /// run whose checkpoints were deleted with their folder: its metrics may be all that somebody kept.
    /// </summary>
    private bool IsVoid =>
        Directory.Exists(Checkpoints)
        && !File.Exists(LatestFile)
        && CheckpointsOf(Path).Length == 0
        && File.ReadLines(RecipeFile).FirstOrDefault() == RecipeWriter.FirstLine;

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
