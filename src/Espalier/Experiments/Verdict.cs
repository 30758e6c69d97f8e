using Espalier.Reporting;
using static System.FormattableString;

namespace Espalier.Experiments;

/// <summary>Whether an arm beats the best model that never grew, at the FLOPs that it spent.</summary>
public enum Outcome
{
    /// <summary>Its loss is lower, with 95 % confidence.</summary>
    Pays,

    /// <summary>Its loss is higher, with 95 % confidence.</summary>
    Costs,

    /// <summary>The interval of the difference holds zero.</summary>
    Undecided,

    /// <summary>The two have not spent the same.</summary>
    NotComparable,
}

/// <summary>A grown arm against the envelope of never-grown ones, and against the target.</summary>
/// <param name="Arm">The grown arm at a budget.</param>
/// <param name="Rival">The best never-grown arm at that budget.</param>
/// <param name="Difference">Loss of the arm less loss of the rival, paired by seed.</param>
/// <param name="RunsToDecide">How many seeds would decide it, if mean and spread stayed as they are.</param>
/// <param name="EnvelopeSaving">
/// 1 - F / F_envelope at the arm's loss, from its interval's worse end to its better one; null where the envelope has not been
/// trained around that loss.
/// </param>
/// <param name="TargetDifference">Loss of the arm less loss of the target at that budget, paired by seed; null where there is no target.</param>
/// <param name="TargetSaving">1 - F / F_target at the arm's loss; null where the target's budgets do not tell.</param>
public sealed record Verdict(
    ArmResult Arm, ArmResult Rival, ConfidenceInterval Difference, int? RunsToDecide, SavingRange? EnvelopeSaving,
    ConfidenceInterval? TargetDifference, double? TargetSaving)
{
    /// <summary>The outcome.</summary>
    public Outcome Outcome => Arm.IsOverBudget || Rival.IsOverBudget ? Outcome.NotComparable
        : !Difference.ExcludesZero ? Outcome.Undecided
        : Difference.Mean < 0 ? Outcome.Pays : Outcome.Costs;

    /// <summary>F_target / F - 1 at the arm's loss, the papers' other definition.</summary>
    public double? TargetSpeedup => TargetSaving is double saving ? (1 / (1 - saving)) - 1 : null;

    /// <summary>The outcome in a sentence.</summary>
    public override string ToString()
    {
        string at = $"at {Figures.FlopsInProse(Arm.Budget)} FLOPs";
        string difference = InNats(Difference);
        return Outcome switch
        {
            Outcome.NotComparable => Invariant(
                $"{Arm.Arm.Name} spent {Arm.Cost.Flops / Arm.Budget:F3} times its {Figures.FlopsInProse(Arm.Budget)} FLOPs, so that it is not held against what kept to them."),
            Outcome.Pays => $"{Arm.Arm.Name} pays {at}: its loss is {difference} below that of {Rival.Arm.Name}, the best model that never grew{Saving()}.",
            Outcome.Costs => $"{Arm.Arm.Name} costs {at}: its loss is {difference} above that of {Rival.Arm.Name}, the best model that never grew{Saving()}.",
            _ => $"{Arm.Arm.Name} is undecided {at}: its loss is {difference} {(Difference.Mean < 0 ? "below" : "above")} that of {Rival.Arm.Name}, the best model that never grew. {Deciding()}",
        };
    }

    /// <summary>How it stands against the target, in a sentence; null where there is none, or the target is what the envelope is.</summary>
    /// <param name="target">The target's name.</param>
    public string? AgainstTarget(string? target) => TargetDifference is not ConfidenceInterval interval || target is null || target == Rival.Arm.Name
        ? null
        : $"{Arm.Arm.Name} at {Figures.FlopsInProse(Arm.Budget)} FLOPs: its loss is {InNats(interval)} {(interval.Mean < 0 ? "below" : "above")} that of {target} from scratch"
            + (interval.HalfWidth is not null && !interval.ExcludesZero ? ", which decides nothing." : TargetSaving is double saving
                ? $": {Figures.Percent(Math.Abs(saving))} {(saving > 0 ? "fewer" : "more")} FLOPs at equal loss, a speed-up of {Figures.Percent(TargetSpeedup)}." : ".");

    private static string InNats(ConfidenceInterval interval) => Invariant($"{Math.Abs(interval.Mean):F4}") + (interval.HalfWidth is double half
        ? Invariant($" ± {half:F4} nats (95 %, {interval.Count} seeds)") : " nats (one seed)");

    private string Saving() => EnvelopeSaving is SavingRange saving
        ? $", {Figures.Percent(Math.Abs(saving.Mean))} {(saving.Mean > 0 ? "fewer" : "more")} FLOPs at equal loss ({saving})" : "";

    private string Deciding() => Difference.HalfWidth is null ? "More seeds are needed for an interval."
        : RunsToDecide is int runs ? $"Some {runs} seeds would decide a difference of this size."
        : "More than a thousand seeds would not decide a difference of this size: take them for equal.";
}

/// <summary>A saving with its interval.</summary>
/// <param name="Low">At the worse end of the loss's interval; null where that lies beyond what was trained.</param>
/// <param name="Mean">At the mean.</param>
/// <param name="High">At its better end; null likewise.</param>
public sealed record SavingRange(double? Low, double Mean, double? High)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Figures.Percent(Low)} to {Figures.Percent(High)}";
}
