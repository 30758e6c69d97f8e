using Espalier.Training;

namespace Espalier.Reporting;

/// <summary>Which loss a curve shows.</summary>
public enum LossKind
{
    /// <summary>The loss of the micro-batches trained on, at the depth that was executed.</summary>
    Train,

    /// <summary>The loss on held-out text, at full depth.</summary>
    Valid,
}

/// <summary>A point of a loss curve.</summary>
/// <param name="Step">Updates done.</param>
/// <param name="Loss">Smoothed loss, in nats per token.</param>
/// <param name="Cost">What the run had cost by then.</param>
public readonly record struct LossPoint(double Step, double Loss, Cost Cost);

/// <summary>The loss of one run over its cost, smoothed so that two runs can be compared at equal loss.</summary>
public sealed class LossCurve
{
    private LossCurve(IReadOnlyList<LossPoint> points) => Points = points;

    /// <summary>By growing step; empty where the run has no such loss.</summary>
    public IReadOnlyList<LossPoint> Points { get; }

    /// <summary>
    /// Training loss: at each row the mean over the window of steps that ends there (at the start of a run, over what
    /// there is), each row weighted by the steps it stands for. The window trails, so a point uses nothing that its cost
    /// has not paid for; it lags by half its length, in every run alike.
    /// </summary>
    /// <param name="run">The run.</param>
    /// <param name="window">Steps to average over.</param>
    public static LossCurve Training(RunMetrics run, double window)
    {
        var points = new List<LossPoint>();
        var inWindow = new Queue<(long Step, double Loss, double Weight)>();
        long previous = 0;
        foreach (MetricsRow row in run.Rows)
        {
            if (row.TrainLoss is double loss)
            {
                inWindow.Enqueue((row.Step, loss, Math.Max(1, row.Step - previous)));
                while (inWindow.Peek().Step <= row.Step - window && inWindow.Count > 1)
                {
                    inWindow.Dequeue();
                }

                double mean = inWindow.Sum(r => r.Loss * r.Weight) / inWindow.Sum(r => r.Weight);
                points.Add(new LossPoint(row.Step, mean, Cost.Of(row)));
            }

            previous = row.Step;
        }

        return new LossCurve(points);
    }

    /// <summary>Held-out loss: the evaluations as they are, for each is already a mean over the whole held-out text.</summary>
    public static LossCurve HeldOut(RunMetrics run) => new(
        [.. run.Rows.Where(row => row.ValidLoss is not null)
            .Select(row => new LossPoint(row.Step, row.ValidLoss!.Value, Cost.Of(row)))]);

    /// <summary>
    /// The first point at which the loss is down to <paramref name="target"/>, on the straight line between the two
    /// measurements around it; null where the run never gets there.
    /// </summary>
    public LossPoint? FirstReaching(double target)
    {
        for (int i = 0; i < Points.Count; i++)
        {
            LossPoint to = Points[i];
            if (to.Loss <= target)
            {
                if (i == 0)
                {
                    return to;
                }

                LossPoint from = Points[i - 1];
                double share = (from.Loss - target) / (from.Loss - to.Loss);
                return new LossPoint(double.Lerp(from.Step, to.Step, share), target, Cost.Between(from.Cost, to.Cost, share));
            }
        }

        return null;
    }
}
