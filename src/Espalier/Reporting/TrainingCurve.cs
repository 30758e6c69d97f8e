namespace Espalier.Reporting;

/// <summary>A point of a logged curve.</summary>
/// <param name="Step">Updates done.</param>
/// <param name="Loss">Nats a token.</param>
/// <param name="Cost">What the run had cost by then, in the unit of its curve.</param>
internal readonly record struct CurvePoint(double Step, double Loss, double Cost);

/// <summary>The loss of one model of a fixed size as it was logged, and what it cost.</summary>
internal sealed class TrainingCurve
{
    /// <summary>A point this much above the one before it is a spike, and no part of the curve (arXiv 2203.06211, released code).</summary>
    private const double Spike = 0.01;

    private const int Window = 5;

    private readonly double[] _smoothed;

    /// <summary>A curve.</summary>
    /// <param name="name">What to call it.</param>
    /// <param name="points">By growing step; losses and costs are positive.</param>
    public TrainingCurve(string name, IEnumerable<CurvePoint> points)
    {
        Name = name;
        Points = WithoutSpikes(points);
        _smoothed = RunningMean([.. Points.Select(point => Math.Log10(point.Loss))]);
    }

    /// <summary>What to call it.</summary>
    public string Name { get; }

    /// <summary>By growing step, without spikes.</summary>
    public IReadOnlyList<CurvePoint> Points { get; }

    /// <summary>The loss at a point as the running mean has it.</summary>
    public double Smoothed(int index) => Math.Pow(10, _smoothed[index]);

    /// <summary>d log(loss) / d log(cost) from a point to the next; one fewer than points.</summary>
    public double[] Slopes() =>
    [
        .. Enumerable.Range(0, Math.Max(0, Points.Count - 1)).Select(i =>
            (_smoothed[i + 1] - _smoothed[i]) / (Math.Log10(Points[i + 1].Cost) - Math.Log10(Points[i].Cost))),
    ];

    /// <summary>The flattest slope from the steepest on; null where the curve has too few points.</summary>
    public double? Flattest => SlopesThatCount() is { Length: > 0 } slopes ? slopes.Max() : null;

    /// <summary>
    /// The first point from the steepest on at which the curve has become flatter than a slope; null where it never does
    /// (arXiv 2203.06211, section 4).
    /// </summary>
    /// <param name="slope">A slope, negative.</param>
    public CurvePoint? FirstFlatterThan(double slope)
    {
        double[] slopes = SlopesThatCount();
        int first = Array.FindIndex(slopes, value => value > slope);
        return first < 0 ? null : Points[Points.Count - 1 - (Window / 2) - slopes.Length + first];
    }

    /// <summary>From the steepest on. Mirrored ends look flat: what follows the curve's last whole mean says nothing.</summary>
    private double[] SlopesThatCount()
    {
        double[] slopes = Slopes();
        int steepest = slopes.Length == 0 ? 0 : Array.IndexOf(slopes, slopes.Min());
        return [.. slopes.Skip(steepest).SkipLast(Window / 2)];
    }

    /// <summary>The point whose loss is nearest; null where the curve has not come down to it, or begins below it.</summary>
    public CurvePoint? At(double loss) =>
        Points.Count > 0 && Points.Min(point => point.Loss) <= loss && Points.Max(point => point.Loss) >= loss
            ? Points.MinBy(point => Math.Abs(point.Loss - loss))
            : null;

    /// <summary>
    /// The cost at which the running mean is first down to a loss, on the straight line between two points; infinite where it never
    /// is.
    /// </summary>
    public double CostOf(double loss)
    {
        double log = Math.Log10(loss);
        int reached = Array.FindIndex(_smoothed, value => value <= log);
        if (reached <= 0)
        {
            return reached < 0 ? double.PositiveInfinity : Points[0].Cost;
        }

        double share = (_smoothed[reached - 1] - log) / (_smoothed[reached - 1] - _smoothed[reached]);
        return double.Lerp(Points[reached - 1].Cost, Points[reached].Cost, share);
    }

    /// <summary>The least loss that the running mean has had for a cost that a point has.</summary>
    public double LossAt(double cost) =>
        Enumerable.Range(0, Points.Count).Where(i => Points[i].Cost <= cost).Min(Smoothed);

    private static List<CurvePoint> WithoutSpikes(IEnumerable<CurvePoint> points)
    {
        List<CurvePoint> kept = [];
        foreach (CurvePoint point in points)
        {
            if (kept.Count == 0 || point.Loss <= kept[^1].Loss * (1 + Spike))
            {
                kept.Add(point);
            }
        }

        return kept;
    }

    /// <summary>Over five values, the two ends mirrored.</summary>
    private static double[] RunningMean(double[] values)
    {
        return [.. values.Select((_, i) => Enumerable.Range(i - (Window / 2), Window).Average(Mirrored))];

        double Mirrored(int index)
        {
            int last = values.Length - 1;
            index = index < 0 ? -1 - index : index > last ? (2 * last) + 1 - index : index;
            return values[Math.Clamp(index, 0, last)];
        }
    }
}
