using System.Globalization;

namespace Espalier.Bench;

/// <summary>A ratio measured pair by pair.</summary>
internal sealed record Spread(double Median, double Least, double Most)
{
    /// <summary>Of the ratios a / b, pair by pair.</summary>
    public static Spread OfRatios(IReadOnlyList<double> a, IReadOnlyList<double> b)
    {
        double[] ratios = [.. a.Zip(b, (x, y) => x / y)];
        return new Spread(Statistics.Median(ratios), ratios.Min(), ratios.Max());
    }

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Median:F3} ({Least:F3} to {Most:F3})");
}
