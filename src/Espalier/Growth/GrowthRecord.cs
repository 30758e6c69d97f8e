using Espalier.Models;

namespace Espalier.Growth;

/// <summary>A growth that has happened, and where the run stood then.</summary>
/// <param name="Step">The updates that had been done.</param>
/// <param name="Operator">The operator, as it describes itself.</param>
/// <param name="Rewarm">What the learning rate has done since.</param>
public sealed record GrowthRecord(long Step, string Operator, Rewarm? Rewarm = null)
{
    /// <summary>The position on the learning rate's schedule, before the growth moved it.</summary>
    public double ScheduleStep { get; init; } = Step;

    /// <summary>What the run had cost, the growth left out.</summary>
    public FlopsCount Flops { get; init; }

    /// <summary>Whether a growth is this one.</summary>
    internal bool IsOf(GrowthStep growth) => Operator == growth.Operator.ToString() && Rewarm == growth.Rewarm;
}
