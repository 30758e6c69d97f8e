using System.Text.Json;
using System.Text.Json.Serialization;

namespace Espalier.Training;

/// <summary>
/// <c>run.json</c>: what ran, and where a run comes from. A machine writes it at each start and end of a run; nothing that is trained depends on it.
/// </summary>
internal sealed class RunLog
{
    public const string Name = "run.json";

    private const int Format = 1;

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) },
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
    };

    private readonly string _path;
    private Contents _contents;

    private RunLog(string path, Contents contents) => (_path, _contents) = (path, contents);

    /// <summary>How a start of a run ended.</summary>
    public enum Ending
    {
        /// <summary>The run reached its end.</summary>
        Finished,

        /// <summary>It was asked to stop, and saved its state.</summary>
        Stopped,

        /// <summary>Something went wrong, which the entry tells.</summary>
        Error,

        /// <summary>The process ended without a word.</summary>
        Killed,
    }

    /// <summary>The checkpoint of another run that this one began from; null for none.</summary>
    public RunOrigin? From => _contents.From;

    /// <summary>The weights that the run began with at step 0; null for random ones.</summary>
    public RunInitial? Initial => _contents.Initial;

    /// <summary>Every start of the run, the first first.</summary>
    public IReadOnlyList<RunStart> Starts => _contents.Starts;

    /// <summary>Reads the log of a run, or begins one.</summary>
    /// <param name="run">The run's folder.</param>
    /// <exception cref="UserErrorException">It is damaged.</exception>
    public static RunLog Open(string run)
    {
        string path = Path.Combine(run, Name);
        if (!File.Exists(path))
        {
            return new RunLog(path, new Contents(Format, []));
        }

        try
        {
            Contents contents = JsonSerializer.Deserialize<Contents>(File.ReadAllText(path), Options) ?? throw new JsonException("it is empty");
            return contents.Format == Format ? new RunLog(path, contents) : throw new JsonException($"its format is {contents.Format}");
        }
        catch (Exception exception) when (exception is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException(
                $"{path} is not a log of a run: {BadFile.JsonReason(exception)}.",
                "Nothing that is trained depends on it: delete it, or put the right one back.", exception);
        }
    }

    /// <summary>The log of the run that a checkpoint belongs to; null where there is none, or no run.</summary>
    /// <param name="checkpoint">The folder of the checkpoint, wherever it lies.</param>
    public static RunLog? Of(string checkpoint)
    {
        string? run = Path.GetDirectoryName(Path.GetDirectoryName(Path.GetFullPath(checkpoint)));
        return run is not null && File.Exists(Path.Combine(run, Name)) ? Open(run) : null;
    }

    /// <summary>Writes down that the run starts.</summary>
    /// <param name="machine">What computes it.</param>
    /// <param name="step">The step that it starts from.</param>
    /// <param name="begins">What a run that has no checkpoint of its own begins from; null for one that goes on.</param>
    /// <param name="changes">What the recipe has been changed in for what comes; null for nothing.</param>
    /// <returns>What is not as it was at the last start and may change the run's bytes.</returns>
    /// <exception cref="UserErrorException">It cannot be written.</exception>
    public IReadOnlyList<string> Begin(RunMachine machine, long step, RunBeginning? begins, IReadOnlyList<string>? changes = null)
    {
        RunMachine? before = begins is null ? Starts.LastOrDefault()?.Machine : null;
        _contents = _contents with
        {
            From = begins is null ? From : begins.From,
            Initial = begins is null ? Initial : begins.Initial,
            Starts =
            [
                .. Starts.Select(start => start.End is null ? start with { End = Ending.Killed } : start),
                new RunStart(TimeProvider.System.GetUtcNow(), Environment.GetCommandLineArgs(), Environment.CurrentDirectory, machine, step) { Prolonged = changes },
            ],
        };
        Write();
        return before is null ? [] : [.. machine.DifferencesFrom(before)];
    }

    /// <summary>Writes down how the start ended; a failure to do so is none of the run's.</summary>
    /// <param name="ending">How.</param>
    /// <param name="step">The step that it came to.</param>
    /// <param name="error">What went wrong.</param>
    public void End(Ending ending, long step, string? error = null)
    {
        _contents = _contents with
        {
            Starts =
            [
                .. Starts.SkipLast(1),
                Starts[^1] with { Ended = TimeProvider.System.GetUtcNow(), End = ending, StepAfter = step, Error = error },
            ],
        };
        try
        {
            // Where the run's folder was deleted or moved, no other is made in its place.
            if (File.Exists(_path))
            {
                Write();
            }
        }
        catch (UserErrorException)
        {
            // The model matters more than its log, and so does what went wrong before.
        }
    }

    private void Write() => AtomicFile.Write(_path, JsonSerializer.Serialize(_contents, Options) + "\n");

    private sealed record Contents(int Format, IReadOnlyList<RunStart> Starts)
    {
        public RunOrigin? From { get; init; }

        public RunInitial? Initial { get; init; }
    }
}

/// <summary>What a run begins from.</summary>
/// <param name="From">The checkpoint of another run; null for none.</param>
/// <param name="Initial">The weights at step 0; null for random ones.</param>
internal sealed record RunBeginning(RunOrigin? From, RunInitial? Initial);

/// <summary>Weights that a run began with, at step 0.</summary>
/// <param name="Path">The full path of their folder or file.</param>
/// <param name="Weights">Their SHA-256.</param>
/// <param name="Flops">What the run is charged for them.</param>
/// <param name="CostIsKnown">Whether that is all that they have cost.</param>
internal sealed record RunInitial(string Path, string Weights, double Flops, bool CostIsKnown);

/// <summary>A checkpoint of another run.</summary>
/// <param name="Run">The full path of the other run's folder.</param>
/// <param name="Step">The checkpoint's step.</param>
/// <param name="Weights">The SHA-256 of its weights.</param>
internal sealed record RunOrigin(string Run, long Step, string Weights);

/// <summary>A start of a run, and what came of it.</summary>
/// <param name="Began">When.</param>
/// <param name="Command">The command line, the program first.</param>
/// <param name="Folder">The working directory, where relative paths start.</param>
/// <param name="Machine">What computed it.</param>
/// <param name="StepBefore">The step that it started from.</param>
internal sealed record RunStart(
    DateTimeOffset Began, IReadOnlyList<string> Command, string Folder, RunMachine Machine, long StepBefore)
{
    /// <summary>What the recipe was changed in from <see cref="StepBefore"/> on, each key with both values; null for nothing.</summary>
    public IReadOnlyList<string>? Prolonged { get; init; }

    /// <summary>When it ended; null where nobody knows.</summary>
    public DateTimeOffset? Ended { get; init; }

    /// <summary>How it ended; null while it runs.</summary>
    public RunLog.Ending? End { get; init; }

    /// <summary>The step that it came to.</summary>
    public long? StepAfter { get; init; }

    /// <summary>What went wrong.</summary>
    public string? Error { get; init; }
}
