namespace Espalier.Reporting;

/// <summary>
/// What one run cost to reach the target, against the WHOLE cost of the baseline, as the papers count. The baseline's own
/// saving is therefore 0.
/// </summary>
public sealed class RunSaving
{
    private readonly Cost _baseline;

    /// <param name="run">The run.</param>
    /// <param name="curve">Its smoothed loss.</param>
    /// <param name="baselineEnd">The baseline's final loss and whole cost; null where it has none of this kind.</param>
    /// <param name="isBaseline">Whether the run is the baseline.</param>
    internal RunSaving(RunMetrics run, LossCurve curve, LossPoint? baselineEnd, bool isBaseline)
    {
        (Name, Unfinished) = (run.Name, run.Unfinished);
        Curve = curve;
        Total = run.Cost;
        IsBaseline = isBaseline;
        _baseline = baselineEnd?.Cost ?? default;
        FinalLoss = curve.Points.Count > 0 ? curve.Points[^1].Loss : null;
        Reaching = isBaseline || baselineEnd is null ? baselineEnd : curve.FirstReaching(baselineEnd.Value.Loss);
    }

    /// <summary>The run's name.</summary>
    public string Name { get; }

    /// <inheritdoc cref="RunMetrics.Unfinished"/>
    public string? Unfinished { get; }

    /// <summary>Whether this is the baseline itself.</summary>
    public bool IsBaseline { get; }

    /// <summary>The smoothed loss over the run.</summary>
    public LossCurve Curve { get; }

    /// <summary>The last smoothed loss; null where the run has none of this kind.</summary>
    public double? FinalLoss { get; }

    /// <summary>What the whole run has cost.</summary>
    public Cost Total { get; }

    /// <summary>Where the run first reaches the target (the baseline: its end); null where it never does.</summary>
    public LossPoint? Reaching { get; }

    /// <summary>The cost up to <see cref="Reaching"/>.</summary>
    public Cost? ToTarget => Reaching?.Cost;

    /// <summary>1 - F / F_baseline, head included; negative where the run costs more.</summary>
    public double? FlopsSaving => Saving(cost => cost.Flops);

    /// <summary>1 - F / F_baseline, head left out.</summary>
    public double? FlopsSavingWithoutHead => Saving(cost => cost.FlopsWithoutHead);

    /// <summary>F_baseline / F - 1, head included (the definition of G_stack).</summary>
    public double? FlopsSpeedup => Speedup(cost => cost.Flops);

    /// <summary>F_baseline / F - 1, head left out.</summary>
    public double? FlopsSpeedupWithoutHead => Speedup(cost => cost.FlopsWithoutHead);

    /// <summary>1 - T / T_baseline of the wall time of training steps.</summary>
    public double? WallSaving => Saving(cost => cost.Seconds);

    // A cost of 0 has no ratio: JSON has no infinity, and a row without cost is no evidence of a saving.
    private double? Saving(Func<Cost, double> of) =>
        ToTarget is Cost cost && of(_baseline) > 0 ? 1 - (of(cost) / of(_baseline)) : null;

    private double? Speedup(Func<Cost, double> of) =>
        ToTarget is Cost cost && of(cost) > 0 ? (of(_baseline) / of(cost)) - 1 : null;
}
