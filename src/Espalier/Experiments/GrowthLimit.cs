using Espalier.Reporting;

namespace Espalier.Experiments;

/// <summary>
/// The most that one growth between the sizes of an arm can save of training the larger one from scratch, and what it did save. An ideal
/// operator would make of the small model at some loss the large one's own state at that loss, at once and for nothing.
/// </summary>
/// <param name="Arm">The grown arm.</param>
/// <param name="Small">The never-grown arm of the size that it begins with, at that budget.</param>
/// <param name="Large">The one of the size that it ends with.</param>
/// <param name="Ceiling">max over losses of [C_large - C_small] / the budget, C what a run cost when it first had the loss in its stable phase.</param>
/// <param name="Saving">1 - F / F_large at the arm's loss; null where the budgets of the large arm do not tell.</param>
public sealed record GrowthLimit(ArmResult Arm, ArmResult Small, ArmResult Large, double Ceiling, double? Saving)
{
    private const int Losses = 400;

    /// <summary>What it saved as a share of what it could; null where either is not known, or nothing could be saved.</summary>
    public double? Share => Ceiling > 0 ? Saving / Ceiling : null;

    /// <summary>Finds it.</summary>
    /// <param name="arm">The grown arm.</param>
    /// <param name="small">The never-grown arm of its first size.</param>
    /// <param name="large">The never-grown arm of its last size.</param>
    /// <param name="curve">Decayed losses of the large arm over its budgets.</param>
    /// <returns>It; null where the runs have no stable phase in which both come down to one loss.</returns>
    /// <exception cref="UserErrorException">The metrics of a run are damaged.</exception>
    internal static GrowthLimit? Of(ArmResult arm, ArmResult small, ArmResult large, LossOverFlops curve)
    {
        return MostSaved(StablePhase(small), StablePhase(large)) is double most
            ? new GrowthLimit(
                arm, small, large, most / large.Cost.Flops,
                curve.FlopsAt(arm.Loss.Mean) is double flops ? 1 - (arm.Cost.Flops / flops) : null)
            : null;
    }

    /// <summary>The largest difference of what two models cost at a loss; null where no loss is one of both.</summary>
    internal static double? MostSaved(TrainingCurve small, TrainingCurve large)
    {
        if (small.Points.Count == 0 || large.Points.Count == 0)
        {
            return null;
        }

        double highest = Math.Min(small.Smoothed(0), large.Smoothed(0)), lowest = Math.Max(Least(small), Least(large));
        return highest > lowest
            ? Math.Max(0, Enumerable.Range(0, Losses)
                .Select(i => highest * Math.Pow(lowest / highest, (double)i / (Losses - 1)))
                .Max(loss => large.CostOf(loss) - small.CostOf(loss)))
            : null;
    }

    /// <summary>It in a sentence.</summary>
    public override string ToString() =>
        $"{Arm.Arm.Name} at {Figures.FlopsInProse(Arm.Budget)} FLOPs: one growth from {Small.Arm.Name} can save at most {Figures.Percent(Ceiling)} of {Large.Arm.Name}, "
        + (Saving is not double saving ? $"and what it saved is not known: the budgets of {Large.Arm.Name} do not enclose its loss."
            : saving < 0 ? $"and cost {Figures.Percent(-saving)} more at equal loss."
            : $"and saved {Figures.Percent(saving)} at equal loss" + (Share is double share ? $", {Figures.Percent(share)} of that." : "."));

    /// <summary>The training loss of an arm's first run until its rate decays.</summary>
    private static TrainingCurve StablePhase(ArmResult arm) => new(
        arm.Arm.Name,
        RunMetrics.Load(arm.Runs[0].Folder).Rows
            .Where(row => row.Step <= arm.Runs[0].Run.StableSteps && row.TrainLoss is not null)
            .Select(row => new CurvePoint(row.Step, row.TrainLoss!.Value, Cost.Of(row).Flops)));

    // A hair above, so that the curve surely comes down to it.
    private static double Least(TrainingCurve curve) => Enumerable.Range(0, curve.Points.Count).Min(curve.Smoothed) * (1 + 1e-9);
}
