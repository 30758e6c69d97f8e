using System.Globalization;

namespace Espalier.Reporting;

/// <summary>An axis of a chart: what it shows, in which unit, and over which range.</summary>
internal sealed record ChartAxis
{
    private const string Superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹";

    /// <summary>What the axis shows, with its unit.</summary>
    public required string Label { get; init; }

    /// <summary>Values are divided by it before they are printed.</summary>
    public double Unit { get; init; } = 1;

    /// <summary>Whether equal distances are equal ratios. Values that are not positive are then left out.</summary>
    public bool Log { get; init; }

    /// <summary>The least value shown; null: what the series need.</summary>
    public double? Minimum { get; init; }

    /// <summary>The largest value shown; null: what the series need.</summary>
    public double? Maximum { get; init; }

    /// <summary>An axis whose numbers are printed as multiples of a power of ten where they are very large or small.</summary>
    /// <param name="label">What the axis shows.</param>
    /// <param name="largest">The largest value that it has to show.</param>
    public static ChartAxis PowerOfTen(string label, double largest)
    {
        int exponent = largest > 0 ? (int)Math.Floor(Math.Log10(largest)) : 0;
        return exponent is >= -2 and <= 4
            ? new ChartAxis { Label = label }
            : new ChartAxis { Label = $"{label} (×{PowerText(exponent)})", Unit = Math.Pow(10, exponent) };
    }

    /// <summary>An axis of wall time, in the unit in which its numbers are short.</summary>
    /// <param name="largest">The longest time, in seconds.</param>
    public static ChartAxis Time(double largest) => largest switch
    {
        < 180 => new ChartAxis { Label = "Training time (seconds)" },
        < 3 * 3600 => new ChartAxis { Label = "Training time (minutes)", Unit = 60 },
        < 4 * 86400 => new ChartAxis { Label = "Training time (hours)", Unit = 3600 },
        _ => new ChartAxis { Label = "Training time (days)", Unit = 86400 },
    };

    /// <summary>10¹³ and the like.</summary>
    internal static string PowerText(int exponent) => "10" + string.Concat(
        exponent.ToString(CultureInfo.InvariantCulture).Select(digit => digit == '-' ? '⁻' : Superscripts[digit - '0']));
}
