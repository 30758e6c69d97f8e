using System.Xml;
using System.Xml.Linq;
using Espalier.Reporting;

namespace Espalier.Tests.Reporting;

public sealed class HtmlReportTests : IDisposable
{
    private const string Nasty = "a<b>&\"c\"</script>";

    private readonly string _folder = Directory.CreateTempSubdirectory("report-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void TheReportIsWellFormedWhateverTheNames()
    {
        XElement html = Parse(HtmlReport.Render(Comparison(Nasty), Nasty));
        Assert.Equal(Nasty, html.Descendants("title").Single().Value);
        Assert.Equal(Nasty, html.Descendants("h1").Single().Value);
        Assert.Equal(["scratch", Nasty, "worse"],
            html.Descendants("table").First().Element("tbody")!.Elements("tr").Select(row => row.Element("th")!.Value));
        Assert.Contains($"# {Nasty}", html.Descendants("pre").ElementAt(1).Value, StringComparison.Ordinal);
        Assert.Single(html.Descendants("script"));
    }

    [Fact]
    public void TheReportNeedsNothingElse()
    {
        string text = HtmlReport.Render(Comparison("apollo"));
        XElement html = Parse(text);
        Assert.DoesNotContain(html.Descendants().Attributes(), a => a.Name.LocalName is "src" or "href");
        Assert.DoesNotContain("url(", text, StringComparison.Ordinal);
        Assert.DoesNotContain("@import", text, StringComparison.Ordinal);
        Assert.DoesNotContain("http", text.Replace("http://www.w3.org/2000/svg", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public void ItShowsTargetsMarkersGrowthAndWhatTheRecipeChanges()
    {
        XElement html = Parse(HtmlReport.Render(Comparison("apollo")));
        XElement[] charts = [.. html.Descendants().Where(e => Is(e, "svg", "wide"))];
        Assert.Equal(4, charts.Length);
        foreach (XElement chart in charts)
        {
            Assert.Equal(3, chart.Descendants().Count(e => Is(e, "path", "line")));
            Assert.Single(chart.Descendants(), e => Is(e, "path", "target"));
            Assert.Equal(2, chart.Descendants().Count(e => Is(e, "circle", "ring")));
            Assert.Contains(chart.Descendants(), e => Is(e, "text", "event") && e.Value == "6→12");
            Assert.Contains(chart.Descendants(), e => Is(e, "text", "mark") && e.Value.StartsWith("−37.", StringComparison.Ordinal));
        }

        Assert.Contains("method: apollo", html.Descendants("mark").Select(mark => mark.Value));
        Assert.DoesNotContain("seed: 42", html.Descendants("mark").Select(mark => mark.Value));
    }

    /// <summary>There are seven colours; the lines and swatches of more runs differ by how they are broken.</summary>
    [Fact]
    public void TwelveRunsLookUnlikeEachOther()
    {
        RunMetrics[] runs = [.. Enumerable.Range(0, 12).Select(i => SyntheticRun.Write(Path.Combine(_folder, $"{i}"), $"run {i}", 10, step => 3 + i - (step / 10.0)))];
        XElement html = Parse(HtmlReport.Render(RunComparison.Of(runs[0], runs)));
        XElement chart = html.Descendants().First(e => Is(e, "svg", "wide"));
        Assert.Equal(12, chart.Descendants().Where(e => Is(e, "path", "line")).Select(line => (string)line.Attribute("class")!).Distinct().Count());
        Assert.Equal(12, html.Descendants("tbody").First().Descendants("i").Select(swatch => (string)swatch.Attribute("class")!).Distinct().Count());
    }

    [Fact]
    public void OneRunAloneAndRunsOfOneRowAreDrawnToo()
    {
        RunMetrics one = SyntheticRun.Write(Path.Combine(_folder, "one"), "one", 10, _ => 3);
        Parse(HtmlReport.Render(RunComparison.Of(one, [])));
        Parse(HtmlReport.Render(RunComparison.Of(one, [SyntheticRun.Write(Path.Combine(_folder, "two"), "two", 20, _ => 0)])));
    }

    [Fact]
    public void WritingReplacesTheFileAndLeavesNothingBeside()
    {
        string path = Path.Combine(_folder, "made", "report.html");
        HtmlReport.Write(path, Comparison("first"));
        HtmlReport.Write(path, Comparison("second"));
        Assert.Contains("second", File.ReadAllText(path), StringComparison.Ordinal);
        Assert.Equal([path], Directory.GetFiles(Path.GetDirectoryName(path)!));
        Assert.Throws<UserErrorException>(() => HtmlReport.Write(Path.Combine(path, "x.html"), Comparison("third")));
    }

    [Fact]
    public void AStandAloneSvgBringsItsColours()
    {
        string svg = LossChart.Of(Comparison(Nasty), LossKind.Valid, CostAxis.Flops).ToSvg();
        XElement root = Parse(svg);
        Assert.Contains(ChartPalette.Either.Lines[1], root.Descendants().First(e => e.Name.LocalName == "style").Value,
            StringComparison.Ordinal);
    }

    private static bool Is(XElement element, string name, string cssClass) =>
        element.Name.LocalName == name && (element.Attribute("class")?.Value.Split(' ').Contains(cssClass) ?? false);

    private static XElement Parse(string text)
    {
        // XML has no raw text: set apart what HTML reads raw, which must not end early.
        int script = text.IndexOf("<script>", StringComparison.Ordinal);
        if (script >= 0)
        {
            int end = text.IndexOf("</script>", script, StringComparison.Ordinal);
            text = text[..(script + 8)] + text[end..];
        }

        using var reader = XmlReader.Create(new StringReader(text), new() { DtdProcessing = DtdProcessing.Ignore });
        return XElement.Load(reader);
    }

    private RunComparison Comparison(string name) => RunComparison.Of(
        SyntheticRun.Write(Path.Combine(_folder, "scratch"), "scratch", 1000, step => 5 - (step / 1000)),
        [
            SyntheticRun.Write(Path.Combine(_folder, "fast"), name, 1000, step => 5 - (2 * step / 1000), 1.25,
                $"method: apollo\n# {Nasty}\n"),
            SyntheticRun.Write(Path.Combine(_folder, "worse"), "worse", 1000, step => 5 - (step / 2000)),
        ]);
}
