using Espalier.Models;
using Espalier.Optimization;

namespace Espalier.Growth;

/// <summary>Where a run stands, and what has happened to it: all that a method decides by.</summary>
public sealed record TrainingPosition
{
    /// <summary>Updates done.</summary>
    public long Step { get; init; }

    /// <summary>Tokens trained on.</summary>
    public long Tokens { get; init; }

    /// <summary>The position on the learning rate's schedule; growth may move it.</summary>
    public double ScheduleStep { get; init; }

    /// <summary>The growths that have happened, in their order.</summary>
    public IReadOnlyList<GrowthRecord> Growths { get; init; } = [];

    /// <summary>The training loss so far.</summary>
    public LossCurve Losses { get; init; } = new(1);

    /// <summary>What the executed plans have cost, forward and backward, what updates have cost, and what growth has cost besides.</summary>
    public FlopsCount Flops { get; init; }

    /// <summary>Seconds of wall time spent in training steps; evaluation and checkpoints do not count.</summary>
    public double Seconds { get; init; }

    /// <summary>The position right after a growth, its cost not yet counted.</summary>
    /// <param name="growth">The growth.</param>
    internal TrainingPosition After(GrowthStep growth) => this with
    {
        Growths =
        [
            .. Growths,
            new GrowthRecord(Step, growth.Operator.ToString(), growth.Rewarm) { ScheduleStep = ScheduleStep, Flops = Flops },
        ],
        ScheduleStep = growth.ScheduleStep ?? ScheduleStep,
    };

    /// <summary>The learning rates of the next update.</summary>
    /// <param name="schedule">The run's.</param>
    public LearningRates Rates(LearningRate schedule)
    {
        double rate = schedule.At(ScheduleStep);
        if (Growths.LastOrDefault() is not { Rewarm: Rewarm rewarm } last)
        {
            return rate;
        }

        double warmed = rate * rewarm.Factor(Step - last.Step);
        return rewarm.Scope == RewarmScope.All ? warmed : new LearningRates(rate, warmed);
    }
}
