using System.Globalization;
using System.Text;

namespace Espalier.Reporting;

/// <summary>
/// The colours of charts. The lines' hues stay apart for the colour-blind (after Okabe and Ito); each palette has at
/// least 3:1 against its background.
/// </summary>
internal sealed record ChartPalette(string Ink, string Muted, string Grid, string Surface, string Panel, IReadOnlyList<string> Lines)
{
    private const int MostRounds = 5;

    /// <summary>For a white page.</summary>
    public static readonly ChartPalette Light = new("#1c2126", "#66707a", "#e6e9ec", "#ffffff", "#f6f7f8",
        ["#6b7580", "#0b6fb8", "#cf4f0f", "#0a8a60", "#a9508f", "#a87400", "#2b8fc4"]);

    /// <summary>For a dark page.</summary>
    public static readonly ChartPalette Dark = new("#e8ebee", "#98a2ad", "#2b3138", "#15191e", "#1d2228",
        ["#a3adb8", "#58aeea", "#f58a4b", "#3cc494", "#dd8fc5", "#e0ad3d", "#8fcdf0"]);

    /// <summary>For a picture that does not know its page: legible on white and on dark, over no background.</summary>
    public static readonly ChartPalette Either = new("#7b858f", "#7b858f", "#8b949e33", "none", "none",
        ["#7b858f", "#2f85cc", "#dc5f1e", "#139a6b", "#b9629f", "#b07f10", "#3a9bd0"]);

    /// <summary>The colour of a run: 0, the neutral one, is the baseline's; the others come again when they are used up.</summary>
    public static int ColorOf(int run) => run == 0 ? 0 : 1 + ((run - 1) % (Light.Lines.Count - 1));

    /// <summary>How often the colour of a run has come before it: lines are then broken, and marks shaped, in another way each time.</summary>
    public static int RoundOf(int run) => Math.Min(MostRounds - 1, Math.Max(0, run - 1) / (Light.Lines.Count - 1));

    /// <summary>The classes that colour a run's line or swatch.</summary>
    /// <param name="kind">s for a line, f for what is filled.</param>
    /// <param name="run">Which run.</param>
    /// <param name="round">How often its colour has come before; null: as <see cref="RoundOf"/> has it.</param>
    public static string ClassesOf(char kind, int run, int? round = null) => string.Create(
        CultureInfo.InvariantCulture,
        $"{kind}{ColorOf(run)}{Math.Min(MostRounds - 1, round ?? RoundOf(run)) switch { 0 => "", int again => $" again{again}" }}");

    /// <summary>The rules for everything that <see cref="SvgChart"/> draws.</summary>
    public string Css()
    {
        var css = new StringBuilder($$"""
            .chart text{fill:{{Muted}};font-size:11.5px;font-family:system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;font-variant-numeric:tabular-nums}
            .chart text{paint-order:stroke;stroke:{{Surface}};stroke-width:3px;stroke-linejoin:round}
            .chart .title{fill:{{Ink}};font-size:14px;font-weight:600}
            .chart .name,.chart .mark{font-weight:600}
            .chart .event{font-size:10px}
            .chart .grid{stroke:{{Grid}};stroke-width:1}
            .chart .axis{stroke:{{Muted}};stroke-width:1;opacity:.6}
            .chart .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
            .chart .dashed{stroke-dasharray:2 4}
            .chart .line.again1:not(.dashed){stroke-dasharray:9 5}
            .chart .line.again2:not(.dashed){stroke-dasharray:12 4 2 4}
            .chart .line.again3:not(.dashed){stroke-dasharray:5 3}
            .chart .line.again4:not(.dashed){stroke-dasharray:2 3}
            .chart .line.strong{stroke-width:3.5}
            .chart .band{opacity:.16}
            .chart .hollow{fill:{{(Surface == "none" ? "#888" : Surface)}}}
            .swatch.again1{border-radius:0}
            .swatch.again2{border-radius:0;clip-path:polygon(50% 0,100% 100%,0 100%)}
            .swatch.again3{border-radius:0;clip-path:polygon(50% 0,100% 50%,50% 100%,0 50%)}
            .swatch.again4{border-radius:0;clip-path:polygon(0 0,100% 0,50% 100%)}
            .chart .raw{fill:none;stroke-width:1;opacity:.22;stroke-linejoin:round}
            .chart .tick{stroke-width:1.25}
            .chart .drop{stroke-width:1;stroke-dasharray:2 3;opacity:.7}
            .chart .target{stroke:{{Ink}};stroke-width:1;stroke-dasharray:5 4;opacity:.6}
            .chart .ring{stroke:{{Surface}};stroke-width:2}

            """);
        for (int i = 0; i < Lines.Count; i++)
        {
            string n = i.ToString(CultureInfo.InvariantCulture);
            css.Append($".chart .s{n}{{stroke:{Lines[i]}}}.chart .f{n}{{fill:{Lines[i]}}}.swatch.f{n}{{background:{Lines[i]}}}.figure.f{n}{{color:{Lines[i]}}}\n");
        }

        return css.ToString();
    }
}
