namespace Espalier.Reporting;

/// <summary>Runs against a baseline at equal loss of one kind.</summary>
public sealed class LossComparison
{
    internal LossComparison(
        LossKind kind, RunMetrics baseline, IReadOnlyList<RunMetrics> runs, Func<RunMetrics, LossCurve> curveOf)
    {
        Kind = kind;
        Baseline = baseline.Name;
        LossCurve baselineCurve = curveOf(baseline);
        LossPoint? end = baselineCurve.Points.Count > 0 ? baselineCurve.Points[^1] : null;
        Target = end?.Loss;
        BaselineFirstReaching = end is null ? null : baselineCurve.FirstReaching(end.Value.Loss);
        Runs = [.. runs.Select(run =>
            new RunSaving(run, curveOf(run), end, isBaseline: ReferenceEquals(run, baseline)))];
    }

    /// <summary>Which loss.</summary>
    public LossKind Kind { get; }

    /// <summary>The baseline's name.</summary>
    public string Baseline { get; }

    /// <summary>The baseline's final loss, smoothed as all curves are; null where it has none of this kind.</summary>
    public double? Target { get; }

    /// <summary>
    /// Where the baseline itself is first down to the target. Its distance from the end is the noise of the measure: a
    /// saving that is not clearly larger means nothing.
    /// </summary>
    public LossPoint? BaselineFirstReaching { get; }

    /// <summary>Each run, the baseline first.</summary>
    public IReadOnlyList<RunSaving> Runs { get; }

    internal object ForJson() => new
    {
        TargetLoss = Target,
        Baseline,
        Runs = Runs.Select(run => new
        {
            run.Name,
            run.Unfinished,
            run.FinalLoss,
            run.Total.Flops,
            run.Total.FlopsWithoutHead,
            FlopsToTarget = run.ToTarget?.Flops,
            FlopsToTargetWithoutHead = run.ToTarget?.FlopsWithoutHead,
            run.FlopsSaving,
            run.FlopsSavingWithoutHead,
            run.FlopsSpeedup,
            run.FlopsSpeedupWithoutHead,
            run.Total.Seconds,
            SecondsToTarget = run.ToTarget?.Seconds,
            run.WallSaving,
        }),
    };
}
