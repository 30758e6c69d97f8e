namespace Espalier.Experiments;

/// <summary>
/// Final losses over the FLOPs that they took, of runs that each decayed to their own end: straight lines between the points where both
/// are logarithms, as power laws have them. Of several arms, the envelope is the least of their curves.
/// </summary>
internal sealed class LossOverFlops
{
    // Runs end with the last whole update within their budget, so that two are never quite equal.
    private const double Tolerance = 0.01;

    private readonly (double Flops, double Loss)[][] _curves;

    private LossOverFlops((double Flops, double Loss)[][] curves) => _curves = curves;

    /// <summary>One arm.</summary>
    /// <param name="points">Its budgets, in any order.</param>
    public static LossOverFlops Of(IEnumerable<(double Flops, double Loss)> points) =>
        new([[.. points.OrderBy(point => point.Flops)]]);

    /// <summary>The least of several.</summary>
    /// <param name="arms">The arms.</param>
    public static LossOverFlops Envelope(IEnumerable<LossOverFlops> arms) => new([.. arms.SelectMany(arm => arm._curves)]);

    /// <summary>The least loss for so many FLOPs; null where no arm has been trained with fewer and more.</summary>
    public double? LossAt(double flops) => Least(_curves.Select(curve =>
        On(curve, flops, point => point.Flops, point => point.Loss)
        ?? curve.Where(point => Math.Abs((point.Flops / flops) - 1) <= Tolerance).Select(point => (double?)point.Loss).FirstOrDefault()));

    /// <summary>
    /// The fewest FLOPs for a loss; null where no arm comes down to it from above, or where one is below it from its first point, as
    /// then nobody knows how much less would have done.
    /// </summary>
    public double? FlopsAt(double loss) => Array.Exists(_curves, curve => curve.Length > 0 && curve[0].Loss < loss)
        ? null
        : Least(_curves.Select(curve => On(curve, loss, point => point.Loss, point => point.Flops)));

    private static double? Least(IEnumerable<double?> values) => values.Min();

    /// <summary>Reads a curve where it first comes to a place, from either side.</summary>
    private static double? On(
        (double Flops, double Loss)[] curve, double at,
        Func<(double Flops, double Loss), double> place, Func<(double Flops, double Loss), double> value)
    {
        for (int i = 0; i + 1 < curve.Length; i++)
        {
            (double from, double to) = (place(curve[i]), place(curve[i + 1]));
            if (at >= Math.Min(from, to) && at <= Math.Max(from, to) && to != from)
            {
                double share = Math.Log(at / from) / Math.Log(to / from);
                return Math.Exp(double.Lerp(Math.Log(value(curve[i])), Math.Log(value(curve[i + 1])), share));
            }
        }

        return null;
    }
}
