using System.Globalization;
using System.Text;

namespace Espalier.Reporting;

/// <summary>
/// A line chart as SVG text: round ticks, lines labelled where they end, a target, events and markers. The same drawing
/// stands in the HTML report, coloured by the page, and alone in a file, with colours that suit white and dark pages.
/// </summary>
internal sealed class SvgChart
{
    private const double LineHeight = 14;
    private const double CharacterWidth = 6.4, BoldCharacterWidth = 7.2;
    private const int LongestLabel = 18, LabelGap = 16;
    private const int RoomAbove = 66;

    // More points than this are more than the pixels can show.
    private const int MostPoints = 700;

    /// <summary>The chart's title; empty for none.</summary>
    public string Title { get; init; } = "";

    /// <summary>The horizontal axis.</summary>
    public required ChartAxis X { get; init; }

    /// <summary>The vertical axis.</summary>
    public required ChartAxis Y { get; init; }

    /// <summary>The lines, the first one drawn first.</summary>
    public required IReadOnlyList<ChartSeries> Series { get; init; }

    /// <summary>A value of Y to reach, drawn as a dashed line; null for none.</summary>
    public double? Target { get; init; }

    /// <summary>The text on the target's line.</summary>
    public string TargetText { get; init; } = "";

    /// <summary>A whole SVG file.</summary>
    /// <param name="width">In pixels; the file scales.</param>
    /// <param name="height">In pixels, or as much more as the lines' labels need.</param>
    public string ToSvg(int width = 760, int height = 420) => Render(width, HeightFor(height), labels: true, standAlone: true);

    /// <summary>The numbers of the picture as CSV: a row for each point of each line, in the units of the axes.</summary>
    public string ToCsv()
    {
        var csv = new StringBuilder($"line,{Quoted(X.Label)},{Quoted(Y.Label)}\n");
        foreach (ChartSeries line in Series)
        {
            foreach (ChartPoint point in line.Points)
            {
                csv.Append(CultureInfo.InvariantCulture, $"{Quoted(line.Name)},{point.X / X.Unit:R},{point.Y / Y.Unit:R}\n");
            }
        }

        return csv.ToString();

        static string Quoted(string text) =>
            text.AsSpan().ContainsAny(",\"") ? $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : text;
    }

    /// <summary>A height in which all lines have room for their labels.</summary>
    /// <param name="height">The least height.</param>
    internal int HeightFor(int height) => Math.Max(height, RoomAbove + (int)(LineHeight * Series.Count));

    /// <summary>An <c>svg</c> element without colours, for a page that holds <see cref="ChartPalette.Css"/>.</summary>
    internal string ToElement(int width, int height, bool labels, string cssClass) =>
        Render(width, height, labels, standAlone: false, cssClass);

    private string Render(int width, int height, bool labels, bool standAlone, string cssClass = "")
    {
        double top = Title.Length > 0 && standAlone ? 52 : 26;
        double right = labels ? LabelGap + (BoldCharacterWidth * Math.Min(LongestLabel, Series.Max(s => s.Name.Length))) : 20;
        var plot = new Plot(this, 46, top, width - right, height - 40, narrow: width < 450);
        var svg = new StringBuilder();
        svg.Append($"<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart {cssClass}\" viewBox=\"0 0 {width} {height}\" ")
            .Append(standAlone ? $"width=\"{width}\" height=\"{height}\" " : "")
            .Append($"role=\"img\" aria-label=\"{Svg.Text(Title)}\" data-label=\"{Svg.Text(X.Label)}\" data-x=\"{plot.X.Description}\" data-y=\"{plot.Y.Description}\">\n");
        if (standAlone)
        {
            svg.Append($"<style>\n{ChartPalette.Either.Css()}</style>\n");
            if (Title.Length > 0)
            {
                svg.Append($"<text class=\"title\" x=\"{Svg.Number(plot.Left)}\" y=\"20\">{Svg.Text(Title)}</text>\n");
            }
        }

        DrawAxes(svg, plot);
        DrawTarget(svg, plot);
        DrawLines(svg, plot);
        DrawMarkers(svg, plot);
        if (labels)
        {
            DrawLabels(svg, plot);
        }

        return svg.Append("</svg>\n").ToString();
    }

    private void DrawAxes(StringBuilder svg, Plot plot)
    {
        (string left, string right) = (Svg.Number(plot.Left), Svg.Number(plot.Right));
        (string top, string bottom) = (Svg.Number(plot.Top), Svg.Number(plot.Bottom));
        foreach ((double value, string text) in plot.Y.Ticks)
        {
            string y = Svg.Number(plot.Y.Pixel(value));
            svg.Append($"<path class=\"grid\" d=\"M{left} {y}H{right}\"/>")
                .Append($"<text x=\"{Svg.Number(plot.Left - 8)}\" y=\"{y}\" dy=\".35em\" text-anchor=\"end\">{text}</text>\n");
        }

        svg.Append($"<path class=\"axis\" d=\"M{left} {bottom}H{right}\"/>\n");
        foreach ((double value, string text) in plot.X.Ticks)
        {
            string x = Svg.Number(plot.X.Pixel(value));
            svg.Append($"<path class=\"axis\" d=\"M{x} {bottom}v4\"/>")
                .Append($"<text x=\"{x}\" y=\"{Svg.Number(plot.Bottom + 17)}\" text-anchor=\"middle\">{text}</text>\n");
        }

        svg.Append($"<text x=\"{Svg.Number((plot.Left + plot.Right) / 2)}\" y=\"{Svg.Number(plot.Bottom + 35)}\" ")
            .Append($"text-anchor=\"middle\">{Svg.Text(X.Label)}</text>\n")
            .Append($"<text x=\"{left}\" y=\"{Svg.Number(plot.Top - 11)}\">{Svg.Text(Y.Label)}</text>\n");
    }

    private void DrawTarget(StringBuilder svg, Plot plot)
    {
        if (Target is double target)
        {
            string y = Svg.Number(plot.Y.ClampedPixel(target));
            svg.Append($"<path class=\"target\" d=\"M{Svg.Number(plot.Left)} {y}H{Svg.Number(plot.Right)}\"/>")
                .Append($"<text x=\"{Svg.Number(plot.Left + 4)}\" y=\"{y}\" dy=\"17\">{Svg.Text(TargetText)}</text>\n");
        }
    }

    private void DrawLines(StringBuilder svg, Plot plot)
    {
        // A nested svg clips what is outside the plot without an id, which two charts on a page would share.
        svg.Append($"<svg x=\"0\" y=\"{Svg.Number(plot.Top)}\" width=\"{Svg.Number(plot.Right + 2)}\" ")
            .Append($"height=\"{Svg.Number(plot.Bottom - plot.Top)}\" viewBox=\"0 {Svg.Number(plot.Top)} ")
            .Append($"{Svg.Number(plot.Right + 2)} {Svg.Number(plot.Bottom - plot.Top)}\">\n");
        foreach (ChartSeries series in Series.Where(s => s.Raw.Count > 0))
        {
            svg.Append($"<path class=\"raw s{ColorOf(series)}\" d=\"{Svg.Path(plot.Pixels(series.Raw), false)}\"/>\n");
        }

        foreach (ChartSeries series in Series.Where(s => s.Band.Count > 1))
        {
            IEnumerable<ChartPoint> around = series.Band.Select(at => new ChartPoint(at.X, at.High))
                .Concat(series.Band.Reverse().Select(at => new ChartPoint(at.X, at.Low)));
            svg.Append($"<path class=\"band f{ColorOf(series)}\" d=\"{Svg.Path(plot.Pixels([.. around]), false)}Z\"/>\n");
        }

        foreach (ChartSeries series in Series)
        {
            string kind = (series.Dashed ? " dashed" : "") + (series.Strong ? " strong" : "");
            svg.Append($"<path class=\"line{kind} {series.Classes('s')}\" data-name=\"{Svg.Text(series.Name)}\" ")
                .Append($"d=\"{Svg.Path(plot.Pixels(series.Points), series.Steps)}\"/>\n");
            if (series.Dots)
            {
                foreach (ChartPoint pixel in plot.Pixels(series.Points))
                {
                    svg.Append(Svg.Mark(pixel, series.Round ?? ChartPalette.RoundOf(series.Color), $"f{ColorOf(series)}"));
                }

                svg.Append('\n');
            }
        }

        svg.Append("</svg>\n");
    }

    private void DrawMarkers(StringBuilder svg, Plot plot)
    {
        foreach (ChartSeries series in Series)
        {
            foreach (ChartEvent happened in series.Events)
            {
                (double x, double y) = (plot.X.Pixel(happened.X), plot.Y.Pixel(ValueAt(series.Points, happened.X)));
                if (!(y >= plot.Top && y <= plot.Bottom))
                {
                    continue;
                }

                svg.Append($"<path class=\"tick s{ColorOf(series)}\" d=\"M{Svg.Number(x)} {Svg.Number(y - 7)}v14\"/>\n");
                if (!plot.Narrow && y > plot.Top + LineHeight)
                {
                    svg.Append($"<text class=\"event f{ColorOf(series)}\" x=\"{Svg.Number(x + 4)}\" y=\"{Svg.Number(y - 3)}\">")
                        .Append($"{Svg.Text(happened.Text)}</text>\n");
                }
            }
        }

        // Texts stand under the target's line, left of their dots, where no line can be; near ones stack. The first in
        // the row is the target's own.
        double previousX = plot.Left + (CharacterWidth * TargetText.Length);
        int row = 0;
        foreach (ChartSeries series in Series.Where(s => s.Marker is not null).OrderBy(s => s.Marker!.Value.X))
        {
            ChartPoint marker = series.Marker!.Value;
            (double x, double y) = (plot.X.Pixel(marker.X), plot.Y.ClampedPixel(marker.Y));
            row = x - previousX < CharacterWidth * (series.MarkerText.Length + 2) ? row + 1 : 0;
            previousX = x;
            svg.Append($"<path class=\"drop s{ColorOf(series)}\" d=\"M{Svg.Number(x)} {Svg.Number(y)}V{Svg.Number(plot.Bottom)}\"/>")
                .Append($"<circle class=\"ring f{ColorOf(series)}\" cx=\"{Svg.Number(x)}\" cy=\"{Svg.Number(y)}\" r=\"5.5\"/>")
                .Append($"<text class=\"mark f{ColorOf(series)}\" x=\"{Svg.Number(x - 7)}\" y=\"{Svg.Number(y + 17 + (row * LineHeight))}\" ")
                .Append($"text-anchor=\"end\">{Svg.Text(series.MarkerText)}</text>\n");
        }
    }

    private void DrawLabels(StringBuilder svg, Plot plot)
    {
        (ChartSeries Series, double Y)[] labels = [.. Series
            .Where(series => series.Points.Count > 0)
            .Select(series => (series, plot.Y.ClampedPixel(series.Points[^1].Y)))
            .OrderBy(label => label.Item2)];
        for (int i = 1; i < labels.Length; i++)
        {
            labels[i].Y = Math.Max(labels[i].Y, labels[i - 1].Y + LineHeight);
        }

        double lowest = plot.Bottom;
        for (int i = labels.Length - 1; i >= 0; i--)
        {
            labels[i].Y = Math.Min(labels[i].Y, lowest);
            lowest = labels[i].Y - LineHeight;
        }

        foreach ((ChartSeries series, double y) in labels)
        {
            string name = series.Name.Length <= LongestLabel ? series.Name : series.Name[..(LongestLabel - 1)] + "…";
            svg.Append($"<text class=\"name f{ColorOf(series)}\" x=\"{Svg.Number(plot.Right + 10)}\" y=\"{Svg.Number(y)}\" ")
                .Append($"dy=\".35em\">{Svg.Text(name)}</text>\n");
        }
    }

    private static int ColorOf(ChartSeries series) => ChartPalette.ColorOf(series.Color);

    private static double ValueAt(IReadOnlyList<ChartPoint> points, double x)
    {
        for (int i = 1; i < points.Count; i++)
        {
            if (points[i].X >= x && points[i].X > points[i - 1].X)
            {
                (ChartPoint from, ChartPoint to) = (points[i - 1], points[i]);
                return double.Lerp(from.Y, to.Y, Math.Clamp((x - from.X) / (to.X - from.X), 0, 1));
            }
        }

        return points.Count > 0 ? points[^1].Y : double.NaN;
    }

    /// <summary>The rectangle between the axes.</summary>
    private sealed class Plot
    {
        public Plot(SvgChart chart, double left, double top, double right, double bottom, bool narrow)
        {
            (Left, Top, Right, Bottom, Narrow) = (left, top, right, bottom, narrow);
            IEnumerable<ChartPoint> points = chart.Series
                .SelectMany(s => s.Points.Concat(s.Raw).Concat(s.Band.SelectMany(at => new[] { new ChartPoint(at.X, at.Low), new ChartPoint(at.X, at.High) })))
                .Where(point => double.IsFinite(point.X) && double.IsFinite(point.Y));
            X = new ChartScale(chart.X, points.Select(p => p.X), left, right, narrow ? 4 : 6);
            Y = new ChartScale(chart.Y, points.Select(p => p.Y), bottom, top, bottom - top < 180 ? 4 : 6);
        }

        public double Left { get; }

        public double Top { get; }

        public double Right { get; }

        public double Bottom { get; }

        /// <summary>Whether there is little room for texts.</summary>
        public bool Narrow { get; }

        public ChartScale X { get; }

        public ChartScale Y { get; }

        public IEnumerable<ChartPoint> Pixels(IReadOnlyList<ChartPoint> points) =>
            Svg.Thinned([.. points.Where(p => X.Shows(p.X) && Y.Shows(p.Y))], MostPoints)
                .Select(p => new ChartPoint(X.Pixel(p.X), Y.Pixel(p.Y)));
    }
}
