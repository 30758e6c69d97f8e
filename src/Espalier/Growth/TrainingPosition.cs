using Espalier.Models;

namespace Espalier.Growth;

/// <summary>Where a run stands.</summary>
public sealed record TrainingPosition
{
    /// <summary>Updates done.</summary>
    public long Step { get; init; }

    /// <summary>Tokens trained on.</summary>
    public long Tokens { get; init; }

    /// <summary>Growth events done.</summary>
    public int GrowthsDone { get; init; }

    /// <summary>What the executed plans have cost, forward and backward.</summary>
    public FlopsCount Flops { get; init; }

    /// <summary>Seconds of wall time spent in training steps; evaluation and checkpoints do not count.</summary>
    public double Seconds { get; init; }
}
