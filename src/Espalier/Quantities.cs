using System.Globalization;

namespace Espalier;

/// <summary>Large quantities as tables print them.</summary>
internal static class Quantities
{
    private static readonly (double Size, string Suffix)[] Counts = [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")];

    private static readonly (double Size, string Suffix)[] ByteUnits =
        [(1L << 40, "TiB"), (1L << 30, "GiB"), (1L << 20, "MiB"), (1L << 10, "KiB")];

    /// <summary>1.3B.</summary>
    public static string Count(double value) => Scaled(value, Counts, "", "");

    /// <summary>1.3 GiB.</summary>
    public static string Bytes(double value) => Scaled(value, ByteUnits, " ", " bytes");

    private static string Scaled(double value, (double Size, string Suffix)[] units, string gap, string none)
    {
        foreach ((double size, string suffix) in units)
        {
            if (value >= size)
            {
                return (value / size).ToString(value / size >= 100 ? "0" : "0.##", CultureInfo.InvariantCulture) + gap + suffix;
            }
        }

        return value.ToString("0.##", CultureInfo.InvariantCulture) + none;
    }
}
