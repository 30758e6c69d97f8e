using System.Globalization;
using System.Text;

namespace Espalier.Reporting;

/// <summary>A row of an <see cref="IntervalChart"/>.</summary>
/// <param name="Name">What it is of.</param>
/// <param name="Mean">The middle of the interval.</param>
/// <param name="HalfWidth">Half of its width; null where it is not known.</param>
/// <param name="Color">Which colour of the palette.</param>
internal readonly record struct ChartInterval(string Name, double Mean, double? HalfWidth, int Color)
{
    public double Low => Mean - (HalfWidth ?? 0);

    public double High => Mean + (HalfWidth ?? 0);
}

/// <summary>Intervals around zero, one below the other: which exclude it is seen at a glance. Far ones are cut, with an arrow.</summary>
internal sealed class IntervalChart
{
    private const double RowHeight = 22, Top = 34, Bottom = 40, CharacterWidth = 7.2;

    // An interval that is so many times farther out than the middle one would press all others together.
    private const double FarOut = 6;

    /// <summary>Its title.</summary>
    public required string Title { get; init; }

    /// <summary>What the values are, with their unit.</summary>
    public required string Label { get; init; }

    /// <summary>What zero means.</summary>
    public required string ZeroText { get; init; }

    /// <summary>From the top.</summary>
    public required IReadOnlyList<ChartInterval> Rows { get; init; }

    /// <summary>An <c>svg</c> element without colours, for a page that holds <see cref="ChartPalette.Css"/>.</summary>
    /// <param name="width">In pixels.</param>
    /// <param name="cssClass">Its class.</param>
    public string ToElement(int width, string cssClass)
    {
        bool narrow = width < 450;
        double left = Math.Min(narrow ? 130 : 240, 14 + (CharacterWidth * Rows.Max(row => row.Name.Length)));
        double right = width - (narrow ? 12 : 130), bottom = Top + (RowHeight * Rows.Count);
        double[] distances = [.. Rows.Select(row => Math.Max(Math.Abs(row.Low), Math.Abs(row.High))).Order()];
        double farthest = Math.Min(distances[^1], FarOut * distances[distances.Length / 2]);
        var scale = new ChartScale(
            new ChartAxis { Label = Label }, Rows.SelectMany(row => new[] { row.Low, row.High }).Append(0).Select(value => Math.Clamp(value, -farthest, farthest)),
            left + 8, right - 8, narrow ? 3 : 7);
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart {cssClass}\" viewBox=\"0 0 {width} {bottom + Bottom}\" role=\"img\" aria-label=\"{Svg.Text(Title)}\">\n");
        foreach ((double value, string text) in scale.Ticks)
        {
            string x = Svg.Number(scale.Pixel(value));
            svg.Append($"<path class=\"grid\" d=\"M{x} {Top}V{Svg.Number(bottom)}\"/>")
                .Append($"<text x=\"{x}\" y=\"{Svg.Number(bottom + 16)}\" text-anchor=\"middle\">{text}</text>\n");
        }

        double zero = scale.Pixel(0);
        svg.Append($"<path class=\"target\" d=\"M{Svg.Number(zero)} {Top - 6}V{Svg.Number(bottom)}\"/>")
            .Append($"<text x=\"{Svg.Number(Within(zero, ZeroText))}\" y=\"{Top - 14}\" text-anchor=\"middle\">{Svg.Text(ZeroText)}</text>\n")
            .Append($"<text x=\"{Svg.Number(Within((left + right) / 2, Label))}\" y=\"{Svg.Number(bottom + 34)}\" text-anchor=\"middle\">{Svg.Text(Label)}</text>\n");
        for (int i = 0; i < Rows.Count; i++)
        {
            Append(svg, Rows[i], Top + (RowHeight * (i + 0.5)), scale, (left, right), narrow);
        }

        return svg.Append("</svg>\n").ToString();

        // Where a text around a place is within the picture.
        double Within(double place, string text)
        {
            double half = Math.Min(width / 2.0, CharacterWidth * text.Length / 2);
            return Math.Clamp(place, half, width - half);
        }
    }

    private static void Append(
        StringBuilder svg, ChartInterval row, double y, ChartScale scale, (double Left, double Right) plot, bool narrow)
    {
        int room = (int)((plot.Left - 8) / CharacterWidth);
        string name = row.Name.Length <= room ? row.Name : row.Name[..(room - 1)] + "…";
        string at = Svg.Number(y), color = ChartPalette.ClassesOf('s', row.Color, 0), fill = ChartPalette.ClassesOf('f', row.Color, 0);
        svg.Append($"<text class=\"name {fill}\" x=\"{Svg.Number(plot.Left - 4)}\" y=\"{at}\" dy=\".35em\" text-anchor=\"end\">{Svg.Text(name)}</text>")
            .Append($"<path class=\"line {color}\" d=\"M{Svg.Number(scale.ClampedPixel(row.Low))} {at}H{Svg.Number(scale.ClampedPixel(row.High))}\"/>");
        if (row.Mean >= scale.Minimum && row.Mean <= scale.Maximum)
        {
            svg.Append($"<circle class=\"ring {fill}\" cx=\"{Svg.Number(scale.Pixel(row.Mean))}\" cy=\"{at}\" r=\"5\"/>");
        }
        else
        {
            bool above = row.Mean > scale.Maximum;
            svg.Append($"<path class=\"{fill}\" d=\"M{Svg.Number(scale.ClampedPixel(row.Mean) + (above ? 7 : -7))} {at}l{(above ? -9 : 9)}-5v10z\"/>");
        }

        if (!narrow)
        {
            string value = row.Mean.ToString("+0.0000;−0.0000", CultureInfo.InvariantCulture)
                + (row.HalfWidth is double half ? " ± " + half.ToString("0.0000", CultureInfo.InvariantCulture) : "");
            svg.Append($"<text x=\"{Svg.Number(plot.Right + 10)}\" y=\"{at}\" dy=\".35em\">{value}</text>");
        }

        svg.Append('\n');
    }
}
