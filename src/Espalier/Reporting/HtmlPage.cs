using System.Text;

namespace Espalier.Reporting;

/// <summary>An HTML page that needs nothing else: no scripts, fonts or pictures from elsewhere. Charts answer to the pointer.</summary>
internal static class HtmlPage
{
    /// <summary>Pixels of a drawing that takes the page's width, and of one beside another.</summary>
    public const int WholePage = 900, HalfPage = 580;

    /// <summary>The whole page.</summary>
    /// <param name="title">Its title, as plain text.</param>
    /// <param name="header">What stands under the title, as HTML.</param>
    /// <param name="body">The rest, as HTML.</param>
    public static string Of(string title, string header, StringBuilder body) => $"""
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8"/>
        <meta name="viewport" content="width=device-width, initial-scale=1"/>
        <meta name="color-scheme" content="light dark"/>
        <title>{Svg.Text(title)}</title>
        <style>
        {HtmlReportStyle.Css}</style>
        </head>
        <body>
        <header>
        <h1>{Svg.Text(title)}</h1>
        {header}</header>
        {body}<div id="tip" hidden="hidden"></div>
        <script>
        {HtmlReportStyle.Script}</script>
        </body>
        </html>

        """;

    /// <summary>A sentence in large letters.</summary>
    public static string Lead(string sentence) => $"<p class=\"lead\">{Svg.Text(sentence).Replace(" %", "&#160;%", StringComparison.Ordinal)}</p>\n";

    /// <summary>What a reader must know before believing the rest.</summary>
    public static string Warnings(IEnumerable<string> warnings) =>
        string.Concat(warnings.Select(warning => $"<p class=\"warning\">Warning: {Svg.Text(warning.TrimEnd('.'))}.</p>\n"));

    /// <summary>A chart with its title, drawn once for wide screens and once for narrow ones.</summary>
    /// <param name="chart">The chart.</param>
    /// <param name="legend">HTML for narrow screens, where lines have no labels; null for labels there too.</param>
    /// <param name="width">Pixels of the drawing for wide screens.</param>
    public static string Figure(SvgChart chart, string? legend = null, int width = HalfPage) =>
        $"<figure><figcaption>{Svg.Text(chart.Title)}</figcaption>\n"
        + chart.ToElement(width, chart.HeightFor(350), labels: true, "wide")
        + chart.ToElement(350, legend is null ? chart.HeightFor(290) : 290, labels: legend is null, "narrow")
        + legend + "</figure>\n";

    /// <summary>Intervals with their title, drawn once for wide screens and once for narrow ones.</summary>
    public static string Figure(IntervalChart chart) =>
        $"<figure><figcaption>{Svg.Text(chart.Title)}</figcaption>\n{chart.ToElement(WholePage, "wide")}{chart.ToElement(350, "narrow")}</figure>\n";

    /// <summary>A table that scrolls where the page is too narrow for it.</summary>
    /// <param name="columns">The heads.</param>
    /// <param name="rows">A text a column, the first a name.</param>
    /// <param name="beforeName">HTML before the name of a row.</param>
    public static string Table(
        IReadOnlyList<string> columns, IReadOnlyList<IReadOnlyList<string>> rows, Func<int, string>? beforeName = null)
    {
        var html = new StringBuilder("<div class=\"scroll\"><table>\n<thead><tr>")
            .AppendJoin("", columns.Select(column => $"<th scope=\"col\">{Svg.Text(column)}</th>"))
            .Append("</tr></thead>\n<tbody>\n");
        for (int i = 0; i < rows.Count; i++)
        {
            html.Append($"<tr><th scope=\"row\">{beforeName?.Invoke(i)}{Svg.Text(rows[i][0])}</th>")
                .AppendJoin("", rows[i].Skip(1).Select(cell => $"<td>{Svg.Text(cell)}</td>")).Append("</tr>\n");
        }

        return html.Append("</tbody></table></div>\n").ToString();
    }
}
