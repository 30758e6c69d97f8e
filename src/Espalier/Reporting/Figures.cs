using System.Globalization;

namespace Espalier.Reporting;

/// <summary>Figures as tables, sentences and pictures print them.</summary>
internal static class Figures
{
    public const string None = "–";

    public static string Loss(double? loss) => loss?.ToString("F3", CultureInfo.InvariantCulture) ?? None;

    /// <summary>2.42e13.</summary>
    public static string Flops(double? flops)
    {
        if (flops is not double value)
        {
            return None;
        }

        string[] parts = value.ToString("0.00e0", CultureInfo.InvariantCulture).Split('e');
        return value == 0 ? "0" : $"{parts[0]}e{parts[1]}";
    }

    /// <summary>2.42×10¹³.</summary>
    public static string FlopsInProse(double flops)
    {
        string[] parts = Flops(flops).Split('e');
        return parts.Length == 1
            ? parts[0]
            : $"{parts[0]}×{ChartAxis.PowerText(int.Parse(parts[1], CultureInfo.InvariantCulture))}";
    }

    /// <summary>31.2 %.</summary>
    public static string Percent(double? share) =>
        share is double value ? (value * 100).ToString("0.0", CultureInfo.InvariantCulture) + " %" : None;

    public static string Duration(double? seconds) => seconds switch
    {
        null => None,
        < 60 => seconds.Value.ToString("0.0", CultureInfo.InvariantCulture) + " s",
        < 3600 => string.Create(CultureInfo.InvariantCulture,
            $"{(long)(seconds.Value / 60)} min {(long)(seconds.Value % 60):D2} s"),
        _ => string.Create(CultureInfo.InvariantCulture,
            $"{(long)(seconds.Value / 3600)} h {(long)(seconds.Value % 3600 / 60):D2} min"),
    };
}
