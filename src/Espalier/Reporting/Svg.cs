using System.Globalization;
using System.Net;
using System.Text;

namespace Espalier.Reporting;

/// <summary>Numbers, texts and paths as SVG writes them.</summary>
internal static class Svg
{
    /// <summary>A pixel coordinate, to a hundredth.</summary>
    public static string Number(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);

    /// <summary>Text that is safe in XML content and in quoted attributes.</summary>
    public static string Text(string text) => WebUtility.HtmlEncode(
        new string([.. text.Where(c => !char.IsControl(c) || c is '\n' or '\t')]));

    /// <summary>The <c>d</c> of a path through pixels.</summary>
    public static string Path(IEnumerable<ChartPoint> pixels, bool steps)
    {
        var path = new StringBuilder();
        foreach (ChartPoint pixel in pixels)
        {
            if (steps && path.Length > 0)
            {
                path.Append('H').Append(Number(pixel.X));
            }

            path.Append(path.Length == 0 ? 'M' : 'L').Append(Number(pixel.X)).Append(' ').Append(Number(pixel.Y));
        }

        return path.ToString();
    }

    /// <summary>A small dot, square, triangle, diamond or triangle that points down.</summary>
    /// <param name="at">Its middle.</param>
    /// <param name="shape">Which, from 0.</param>
    /// <param name="cssClass">Its classes.</param>
    public static string Mark(ChartPoint at, int shape, string cssClass) => shape == 0
        ? $"<circle class=\"{cssClass}\" cx=\"{Number(at.X)}\" cy=\"{Number(at.Y)}\" r=\"2.5\"/>"
        : $"<path class=\"{cssClass}\" d=\"M{Number(at.X)} {Number(at.Y)}"
            + shape switch
            {
                1 => "m-2.7-2.7h5.4v5.4h-5.4z",
                2 => "m0-3.6l3.5 6.2h-7z",
                3 => "m0-3.8l3.8 3.8l-3.8 3.8l-3.8-3.8z",
                _ => "m0 3.6l3.5-6.2h-7z",
            }
            + "\"/>";

    /// <summary>At most about <paramref name="limit"/> of the points; of every bucket the lowest and the highest stay.</summary>
    public static IReadOnlyList<ChartPoint> Thinned(IReadOnlyList<ChartPoint> points, int limit)
    {
        if (points.Count <= limit)
        {
            return points;
        }

        int buckets = limit / 2;
        var thinned = new List<ChartPoint>(limit + 2) { points[0] };
        for (int b = 0; b < buckets; b++)
        {
            int begin = (int)((long)b * points.Count / buckets), end = (int)((long)(b + 1) * points.Count / buckets);
            (int low, int high) = (begin, begin);
            for (int i = begin; i < end; i++)
            {
                low = points[i].Y < points[low].Y ? i : low;
                high = points[i].Y > points[high].Y ? i : high;
            }

            thinned.Add(points[Math.Min(low, high)]);
            if (low != high)
            {
                thinned.Add(points[Math.Max(low, high)]);
            }
        }

        thinned.Add(points[^1]);
        return thinned;
    }
}
