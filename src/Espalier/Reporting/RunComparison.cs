using System.Text.Json;

namespace Espalier.Reporting;

/// <summary>
/// Runs against a baseline: how much less each one costs to reach the loss at which the baseline ended, once for the
/// training loss and once for the held-out loss.
/// </summary>
public sealed class RunComparison
{
    /// <summary>The share of the baseline's steps over which training losses are averaged.</summary>
    public const double SmoothingShare = 0.02;

    private static readonly JsonSerializerOptions JsonOptions = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
    };

    private RunComparison(RunMetrics baseline, IReadOnlyList<RunMetrics> runs)
    {
        Baseline = baseline;
        Runs = runs;
        SmoothingSteps = baseline.Rows[^1].Step * SmoothingShare;
        Train = new LossComparison(LossKind.Train, baseline, runs, run => LossCurve.Training(run, SmoothingSteps));
        Valid = new LossComparison(LossKind.Valid, baseline, runs, LossCurve.HeldOut);
    }

    /// <summary>The run that the others are held against.</summary>
    public RunMetrics Baseline { get; }

    /// <summary>All runs, the baseline first, under names that differ.</summary>
    public IReadOnlyList<RunMetrics> Runs { get; }

    /// <summary>The window of the smoothed training loss, in steps.</summary>
    public double SmoothingSteps { get; }

    /// <summary>At equal training loss.</summary>
    public LossComparison Train { get; }

    /// <summary>At equal held-out loss.</summary>
    public LossComparison Valid { get; }

    /// <summary>
    /// A line where the baseline has not ended, one for each run that began with weights whose cost is not known, and one for each
    /// whose held-out loss is of something else than the baseline's is.
    /// </summary>
    public IEnumerable<string> Warnings()
    {
        if (Baseline.Unfinished is string unfinished)
        {
            yield return $"{Baseline.Name} is {unfinished}: what the others save is measured against its loss so far, not its end";
        }

        foreach (RunMetrics run in Runs)
        {
            if (run.UnpaidWeights is string weights)
            {
                yield return $"{run.Name} began with the weights of {weights}, whose cost is not known and not in its figures";
            }
        }

        HeldOutMeasure measure = HeldOutMeasure.Of(Baseline);
        foreach (RunMetrics run in Runs.Skip(1))
        {
            string[] differences = [.. measure.DifferencesFrom(HeldOutMeasure.Of(run))];
            if (differences.Length > 0)
            {
                yield return $"the losses of {Baseline.Name} and {run.Name} cannot be compared: "
                    + string.Join("; ", differences);
            }
        }
    }

    /// <summary>Compares runs with a baseline.</summary>
    /// <param name="baseline">Usually training from scratch.</param>
    /// <param name="others">The runs to judge; the baseline among them is left out.</param>
    public static RunComparison Of(RunMetrics baseline, IEnumerable<RunMetrics> others)
    {
        string baselineFolder = Path.GetFullPath(baseline.Folder);
        RunMetrics[] runs = [baseline, .. others.Where(run => Path.GetFullPath(run.Folder) != baselineFolder)];
        RunMetrics[] named = [.. runs.Select(run =>
            runs.Count(other => other.Name == run.Name) > 1 ? run.Renamed($"{run.Name} ({Ending(run, runs)})") : run)];
        return new RunComparison(named[0], named);
    }

    /// <summary>As much of the end of a run's path as no other run of its name shares.</summary>
    private static string Ending(RunMetrics run, RunMetrics[] runs)
    {
        string[] parts = Parts(run);
        string[][] others = [.. runs.Where(other => other != run && other.Name == run.Name).Select(Parts)];
        int count = Enumerable.Range(1, parts.Length)
            .FirstOrDefault(count => !others.Any(other => other.TakeLast(count).SequenceEqual(parts.TakeLast(count))), parts.Length);
        return string.Join('/', parts.TakeLast(count));

        static string[] Parts(RunMetrics run) => Path.GetFullPath(run.Folder).Split('/', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>What <c>espalier compare --json</c> prints.</summary>
    public string ToJson() => JsonSerializer.Serialize(
        new { Baseline = Baseline.Name, Train = Train.ForJson(), Valid = Valid.ForJson() }, JsonOptions);
}
