using Espalier.Reporting;

namespace Espalier.Experiments;

/// <summary>A rate of a sweep.</summary>
/// <param name="LearningRate">The peak.</param>
/// <param name="Loss">The mean held-out loss over the seeds that choose; null where a run failed.</param>
public sealed record RateResult(double LearningRate, double? Loss);

/// <summary>What an arm came to at a budget.</summary>
/// <param name="Arm">The arm.</param>
/// <param name="Budget">The FLOPs that it might spend.</param>
/// <param name="Sweep">Its rates, by growing size.</param>
/// <param name="BestRate">The one with the least loss.</param>
/// <param name="Runs">The runs at that rate, by seed.</param>
public sealed record ArmResult(
    GridArm Arm, double Budget, IReadOnlyList<RateResult> Sweep, double BestRate, IReadOnlyList<FinishedRun> Runs)
{
    // The last whole update ends within this share of the budget.
    private const double Tolerance = 0.01;

    /// <summary>The held-out loss over the seeds, in nats a token.</summary>
    public ConfidenceInterval Loss { get; } = ConfidenceInterval.Of([.. Runs.Select(run => run.Loss)]);

    /// <summary>The mean cost of its runs.</summary>
    public Cost Cost { get; } = new(
        Runs.Average(run => run.Cost.Flops), Runs.Average(run => run.Cost.FlopsWithoutHead), Runs.Average(run => run.Cost.Seconds));

    /// <summary>Whether the best rate is the least or the largest that was tried, so that the best may lie beyond.</summary>
    public bool IsAtEdge => Sweep.Count > 1 && (BestRate == Sweep[0].LearningRate || BestRate == Sweep[^1].LearningRate);

    /// <summary>Whether it spent more than its budget: growth that learns or tries on data is charged only once it has been done.</summary>
    public bool IsOverBudget => Cost.Flops > Budget * (1 + Tolerance);

    /// <summary>Its losses less those of another arm with the same seeds.</summary>
    /// <param name="other">The other.</param>
    public IReadOnlyList<double> PairedWith(ArmResult other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return
        [
            .. Runs.Join(other.Runs, mine => mine.Run.Seed, theirs => theirs.Run.Seed, (mine, theirs) => mine.Loss - theirs.Loss),
        ];
    }
}
