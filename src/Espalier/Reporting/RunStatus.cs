using Espalier.Training;

namespace Espalier.Reporting;

/// <summary>How far a run is, as its folder tells.</summary>
public sealed record RunStatus
{
    private const int MostDepth = 6;

    /// <summary>The run folder.</summary>
    public required string Folder { get; init; }

    /// <summary>The name that its recipe gives it.</summary>
    public required string Name { get; init; }

    /// <summary>The architecture; null where no recipe says so.</summary>
    public string? Model { get; init; }

    /// <summary>The method; null where no recipe says so.</summary>
    public string? Method { get; init; }

    /// <summary>Whether it goes on.</summary>
    public required RunState State { get; init; }

    /// <summary>Updates done, as far as metrics tell.</summary>
    public required long Step { get; init; }

    /// <summary>Updates of the whole run; null where no recipe says so.</summary>
    public long? Steps { get; init; }

    /// <summary>The training loss of the last interval, nats a token.</summary>
    public double? TrainLoss { get; init; }

    /// <summary>The last held-out loss, nats a token.</summary>
    public double? ValidLoss { get; init; }

    /// <summary>Of the last interval.</summary>
    public double? TokensPerSecond { get; init; }

    /// <summary>Seconds of training left by the steps left, at the speed of the last interval; null where it does not go on.</summary>
    public double? SecondsLeft { get; init; }

    /// <summary>The runs in a folder and below it, by their paths; a folder that is a run holds no others.</summary>
    /// <param name="folder">Where to look. Links are not followed.</param>
    /// <exception cref="UserErrorException">It is no folder.</exception>
    public static IReadOnlyList<RunStatus> Below(string folder)
    {
        if (!Directory.Exists(folder))
        {
            throw new UserErrorException($"{folder} is no folder.", "Name the folder that your runs lie in, such as runs.");
        }

        List<RunStatus> found = [];
        Look(folder, 0);
        return found;

        void Look(string path, int depth)
        {
            if (File.Exists(Path.Combine(path, "metrics.csv")) || File.Exists(Path.Combine(path, RunLog.Name)))
            {
                found.Add(Of(path));
                return;
            }

            if (depth < MostDepth)
            {
                var options = new EnumerationOptions { AttributesToSkip = FileAttributes.ReparsePoint };
                foreach (string inner in Directory.EnumerateDirectories(path, "*", options).Order(StringComparer.Ordinal))
                {
                    Look(inner, depth + 1);
                }
            }
        }
    }

    /// <summary>How far a run is.</summary>
    /// <param name="folder">Its folder.</param>
    public static RunStatus Of(string folder)
    {
        RunMetrics? metrics = Unless(() => RunMetrics.Load(folder));
        RunStart? last = Unless(() => RunLog.Open(folder))?.Starts.LastOrDefault();
        MetricsRow? row = metrics?.Rows[^1];
        RunState state = RunDirectory.IsInUse(folder) ? RunState.Running
            : row is not null && row.Step >= metrics!.PlannedSteps ? RunState.Finished
            : last?.End switch
            {
                RunLog.Ending.Stopped => RunState.Stopped,
                RunLog.Ending.Error => RunState.Failed,
                _ => RunState.Interrupted,
            };
        double? tokensAStep = row is { Step: > 0 } ? (double)row.Tokens / row.Step : null;
        return new RunStatus
        {
            Folder = folder,
            Name = metrics?.Name ?? Path.GetFileName(Path.GetFullPath(folder)),
            Model = metrics?.RecipeValue("model", "model_type"),
            Method = metrics?.RecipeValue("method", "name"),
            State = state,
            Step = row?.Step ?? 0,
            Steps = metrics?.PlannedSteps,
            TrainLoss = metrics?.Rows.LastOrDefault(one => one.TrainLoss is not null)?.TrainLoss,
            ValidLoss = metrics?.Rows.LastOrDefault(one => one.ValidLoss is not null)?.ValidLoss,
            TokensPerSecond = row?.TokensPerSecond,
            SecondsLeft = state == RunState.Running ? (metrics?.PlannedSteps - row?.Step) * tokensAStep / row?.TokensPerSecond : null,
        };
    }

    /// <summary>A run that has just begun has no rows yet, and a damaged file is no reason to hide the others.</summary>
    private static T? Unless<T>(Func<T> read)
        where T : class
    {
        try
        {
            return read();
        }
        catch (UserErrorException)
        {
            return null;
        }
    }
}
