using System.Collections.Immutable;

namespace Espalier.Growth;

/// <summary>A point of a loss curve.</summary>
/// <param name="Step">Updates done.</param>
/// <param name="Flops">What they had cost.</param>
/// <param name="Loss">The mean loss of the updates since the point before, in nats a target.</param>
public readonly record struct LossPoint(long Step, double Flops, double Loss);

/// <summary>The training loss of a run, a point for every few updates: methods that grow by it read it here.</summary>
/// <param name="Interval">Updates in a point.</param>
public sealed record LossCurve(long Interval)
{
    /// <summary>The points, in the order of their steps.</summary>
    public ImmutableArray<LossPoint> Points { get; init; } = [];

    /// <summary>Updates since the last point.</summary>
    public long PendingSteps { get; init; }

    /// <summary>The sum of their losses.</summary>
    public double PendingLoss { get; init; }

    /// <summary>The points that there were at a step.</summary>
    internal LossCurve UpTo(long step) => new(Interval) { Points = [.. Points.Where(point => point.Step <= step)] };

    /// <summary>The curve after another update.</summary>
    /// <param name="loss">Its loss.</param>
    /// <param name="step">Updates done with it.</param>
    /// <param name="flops">What they have cost.</param>
    public LossCurve Add(double loss, long step, double flops)
    {
        (long steps, double sum) = (PendingSteps + 1, PendingLoss + loss);
        return steps < Interval
            ? this with { PendingSteps = steps, PendingLoss = sum }
            : this with { Points = Points.Add(new LossPoint(step, flops, sum / steps)), PendingSteps = 0, PendingLoss = 0 };
    }
}
