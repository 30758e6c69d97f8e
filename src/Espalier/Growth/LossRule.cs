using System.Globalization;

namespace Espalier.Growth;

/// <summary>What a loss curve is asked for.</summary>
public enum LossRuleKind
{
    /// <summary>
    /// Its slope d log10(loss) / d log10(compute): past its steepest, it is due where the slope is flatter than the threshold (Staged
    /// Training, arXiv 2203.06211).
    /// </summary>
    Slope,

    /// <summary>The share by which it fell of late: it is due where that is less than the threshold.</summary>
    Plateau,
}

/// <summary>A growth that waits for the training loss.</summary>
/// <param name="Kind">What is asked of the curve.</param>
/// <param name="Threshold">Of a slope, less than 0; of a plateau, between 0 and 1.</param>
public readonly record struct LossRule(LossRuleKind Kind, double Threshold)
{
    /// <summary>The fewest points that a slope is read off.</summary>
    internal const int LeastPoints = 10;

    // A line through the last third of the compute, where the authors average five points of curves that are smooth: batches of half a
    // million tokens. Of small batches the first slope that looks flat is soon there by chance, so that it must be flat by two standard
    // errors.
    private const double Lookback = 2 / 3.0, StandardErrors = 2;

    private const int PlateauPoints = 25;

    /// <summary>Whether the end of a curve is where the rule is for.</summary>
    /// <param name="points">
    /// The curve, in its order: the updates that the model has had, as if it had been trained from scratch, for compute is in
    /// proportion to them; and the loss.
    /// </param>
    public bool IsMet(IReadOnlyList<(double Steps, double Loss)> points) =>
        Kind == LossRuleKind.Slope ? IsFlatterAfterSteeper(points) : IsLevel(points);

    /// <summary>The form in recipes.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{(Kind == LossRuleKind.Slope ? "slope" : "plateau")} {Threshold}");

    private bool IsFlatterAfterSteeper(IReadOnlyList<(double Steps, double Loss)> points)
    {
        (double Steps, double Slope, double Error)[] lines = [.. Slopes(points)];
        return lines.Length > 1 && lines[^1].Slope - (StandardErrors * lines[^1].Error) > Threshold
            && lines[..^1].Min(line => line.Slope) <= Threshold;
    }

    /// <summary>Lines of least squares, each up to one point: where it is, their slopes, and the standard errors of these.</summary>
    internal static IEnumerable<(double Steps, double Slope, double Error)> Slopes(IReadOnlyList<(double Steps, double Loss)> points)
    {
        (double X, double Y, double XX, double XY, double YY) sum = default;
        int first = 0;
        for (int last = 0; last < points.Count; last++)
        {
            Count(points[last], 1);
            while (points[first].Steps < Lookback * points[last].Steps && last - first >= LeastPoints)
            {
                Count(points[first++], -1);
            }

            int count = last - first + 1;
            if (count >= LeastPoints)
            {
                double xx = sum.XX - (sum.X * sum.X / count), xy = sum.XY - (sum.X * sum.Y / count), yy = sum.YY - (sum.Y * sum.Y / count);
                double slope = xy / xx, residual = Math.Max(0, yy - (slope * xy));
                yield return (points[last].Steps, slope, Math.Sqrt(residual / (count - 2) / xx));
            }
        }

        void Count((double Steps, double Loss) point, int times)
        {
            double x = Math.Log10(point.Steps), y = Math.Log10(point.Loss);
            sum = (
                sum.X + (times * x), sum.Y + (times * y), sum.XX + (times * x * x), sum.XY + (times * x * y), sum.YY + (times * y * y));
        }
    }

    private bool IsLevel(IReadOnlyList<(double Steps, double Loss)> points)
    {
        if (points.Count < 2 * PlateauPoints)
        {
            return false;
        }

        double[] losses = [.. points.Skip(points.Count - (2 * PlateauPoints)).Select(point => point.Loss)];
        double before = losses[..PlateauPoints].Average(), after = losses[PlateauPoints..].Average();
        return (before - after) / before < Threshold;
    }
}
