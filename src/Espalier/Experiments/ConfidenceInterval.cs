using MathNet.Numerics.Distributions;

namespace Espalier.Experiments;

/// <summary>A mean of independent runs with its 95 % interval by Student's t.</summary>
/// <param name="Mean">The mean.</param>
/// <param name="HalfWidth">Half of the interval's width; null of a single run.</param>
/// <param name="Count">How many runs.</param>
public sealed record ConfidenceInterval(double Mean, double? HalfWidth, int Count)
{
    private const double Tail = 0.025;
    private const int MostRuns = 1000;

    /// <summary>Whether zero lies outside: with 95 % confidence the mean has the sign that it shows.</summary>
    public bool ExcludesZero => HalfWidth is double half && Math.Abs(Mean) > half;

    /// <summary>The interval of some values.</summary>
    /// <param name="values">At least one.</param>
    public static ConfidenceInterval Of(IReadOnlyList<double> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        double mean = values.Average();
        return new ConfidenceInterval(
            mean, values.Count > 1 ? Quantile(values.Count) * Deviation(values, mean) / Math.Sqrt(values.Count) : null, values.Count);
    }

    /// <summary>
    /// How many runs would make an interval of some values exclude zero, if mean and spread stayed as they are; null where even a
    /// thousand would not, or where one value tells no spread.
    /// </summary>
    /// <param name="values">The values.</param>
    public static int? RunsToDecide(IReadOnlyList<double> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        if (values.Count < 2)
        {
            return null;
        }

        double mean = Math.Abs(values.Average()), deviation = Deviation(values, values.Average());
        return Enumerable.Range(2, MostRuns - 1)
            .Where(count => Quantile(count) * deviation / Math.Sqrt(count) < mean)
            .Select(count => (int?)count)
            .FirstOrDefault();
    }

    private static double Quantile(int count) => StudentT.InvCDF(0, 1, count - 1, 1 - Tail);

    private static double Deviation(IReadOnlyList<double> values, double mean) =>
        Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Count - 1));
}
