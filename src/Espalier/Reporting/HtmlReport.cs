using System.Text;
using Espalier.Training;

namespace Espalier.Reporting;

/// <summary>A comparison as one HTML file that needs nothing else: no scripts, fonts or pictures from elsewhere.</summary>
public static class HtmlReport
{
    private const int SmallWidth = 370, SmallHeight = 230;

    /// <summary>Writes the report: first beside its place, then renamed into it.</summary>
    /// <exception cref="UserErrorException">The file cannot be written.</exception>
    public static void Write(string path, RunComparison comparison, string title = "Training runs compared") =>
        AtomicFile.Write(path, Render(comparison, title));

    /// <summary>The text of the report.</summary>
    public static string Render(RunComparison comparison, string title = "Training runs compared")
    {
        var html = new StringBuilder();
        AppendLoss(html, comparison, LossKind.Valid, "Held-out loss");
        AppendLoss(html, comparison, LossKind.Train, "Training loss");
        AppendProgress(html, comparison);
        AppendMethod(html, comparison);
        AppendRecipes(html, comparison);
        return HtmlPage.Of(
            title, HtmlPage.Lead(SavingSentence.Of(comparison)) + HtmlPage.Warnings(comparison.Warnings()) + Headline(comparison), html);
    }

    private static string Headline(RunComparison comparison)
    {
        LossComparison losses = SavingSentence.Deciding(comparison);
        if (SavingSentence.Best(losses) is not RunSaving best)
        {
            return "";
        }

        string loss = losses.Kind == LossKind.Valid ? "held-out" : "training";
        int color = ChartPalette.ColorOf(losses.Runs.Index().First(run => run.Item == best).Index);
        var figures = new StringBuilder("<dl class=\"headline\">\n");
        Append(best.FlopsSaving, "FLOPs", loss);
        Append(best.WallSaving, "wall time", loss);
        if (losses.Kind == LossKind.Valid)
        {
            Append(comparison.Train.Runs.First(run => run.Name == best.Name).FlopsSaving, "FLOPs", "training");
        }

        return figures.Append("</dl>\n").ToString();

        void Append(double? saving, string what, string at)
        {
            if (saving is double share)
            {
                figures.Append($"<div><dd class=\"figure f{color}\">{(share >= 0 ? "−" : "+")}{Figures.Percent(Math.Abs(share))}</dd>")
                    .Append($"<dt>{what} at equal {at} loss</dt></div>\n");
            }
        }
    }

    private static void AppendLoss(StringBuilder html, RunComparison comparison, LossKind kind, string title)
    {
        LossComparison losses = kind == LossKind.Train ? comparison.Train : comparison.Valid;
        if (losses.Runs.All(run => run.Curve.Points.Count == 0))
        {
            return;
        }

        html.Append($"<section>\n<h2>{title}</h2>\n");
        ComparisonTable table = ComparisonTable.Of(losses);
        html.Append($"<p class=\"caption\">{Svg.Text(table.Caption)}</p>\n").Append(HtmlPage.Table(table.Columns, table.Rows, Swatch))
            .Append("<div class=\"charts\">\n")
            .Append(HtmlPage.Figure(LossChart.Of(comparison, kind, CostAxis.Flops), Legend(comparison, "narrow")))
            .Append(HtmlPage.Figure(LossChart.Of(comparison, kind, CostAxis.Time), Legend(comparison, "narrow")))
            .Append("</div>\n</section>\n");
    }

    private static void AppendProgress(StringBuilder html, RunComparison comparison)
    {
        html.Append("<section>\n<h2>How the runs went</h2>\n<div class=\"charts small\">\n");
        Append("Learning rate", row => row.LearningRate);
        Append("Gradient norm", row => row.GradientNorm);
        Append("Layers executed (stored: dotted)", row => row.ExecutedDepth, row => row.StoredLayers);
        html.Append("</div>\n");
        html.Append(Legend(comparison, "")).Append("</section>\n");

        void Append(string title, Func<MetricsRow, double?> of, Func<MetricsRow, double?>? dotted = null)
        {
            ChartSeries[] series = [.. comparison.Runs.SelectMany((run, i) => dotted is null
                ? new[] { OverSteps(run, i, of, false) }
                : [OverSteps(run, i, of, false), OverSteps(run, i, dotted, true)])];
            double[] values = [.. series.SelectMany(s => s.Points).Select(point => point.Y)];
            if (values.Length > 0)
            {
                var chart = new SvgChart
                {
                    Title = title,
                    X = ChartAxis.PowerOfTen("Step", comparison.Runs.Max(run => run.Rows[^1].Step)) with { Minimum = 0 },
                    Y = ChartAxis.PowerOfTen(title, values.Max()) with { Minimum = 0, Maximum = values.Max() * 1.05 },
                    Series = series,
                };
                html.Append("<figure>\n").Append(chart.ToElement(SmallWidth, SmallHeight, labels: false, "")).Append("</figure>\n");
            }
        }
    }

    private static ChartSeries OverSteps(RunMetrics run, int color, Func<MetricsRow, double?> of, bool stored) => new()
    {
        Name = stored ? run.Name + ", stored" : run.Name,
        Color = color,
        Steps = stored,
        Dashed = stored,
        Points = [.. run.Rows.Where(row => of(row) is not null).Select(row => new ChartPoint(row.Step, of(row)!.Value))],
    };

    private static void AppendMethod(StringBuilder html, RunComparison comparison)
    {
        html.Append($"""
            <section class="prose">
            <h2>How the saving is counted</h2>
            <p>The target is the loss at which {Svg.Text(comparison.Baseline.Name)} ends; a run’s cost is read at the first point where its own loss is down to that target, and the saving is 1 − cost / whole cost of {Svg.Text(comparison.Baseline.Name)} (the speed-up is the whole cost / cost − 1).
            Training losses are averaged over the last {Figures.Percent(RunComparison.SmoothingShare)} of {Svg.Text(comparison.Baseline.Name)}’s steps, in all runs alike; held-out losses are evaluations of the full-depth model, joined by straight lines.</p>
            <p>FLOPs include the vocabulary head unless a column says otherwise, and time is that of training steps only.{Noise(comparison)}</p>
            </section>

            """);
    }

    private static string Noise(RunComparison comparison)
    {
        var text = new StringBuilder();
        foreach (LossComparison losses in new[] { comparison.Valid, comparison.Train })
        {
            if (losses.BaselineFirstReaching is LossPoint first && losses.Runs[0].ToTarget is Cost whole && whole.Flops > 0)
            {
                string name = losses.Kind == LossKind.Valid ? "held-out" : "training";
                text.Append($" {Svg.Text(losses.Baseline)} itself first touches its final {name} loss at ")
                    .Append($"{Figures.Percent(first.Cost.Flops / whole.Flops)} of its FLOPs.");
            }
        }

        return text.Append(" The rest of the way to 100 % is the noise of the measure: a saving that is no larger means nothing.").ToString();
    }

    private static void AppendRecipes(StringBuilder html, RunComparison comparison)
    {
        html.Append("<section>\n<h2>Recipes</h2>\n");
        var ofBaseline = comparison.Baseline.Recipe.Split('\n').Select(line => line.TrimEnd()).ToHashSet();
        for (int i = 0; i < comparison.Runs.Count; i++)
        {
            RunMetrics run = comparison.Runs[i];
            html.Append($"<details><summary>{Swatch(i)}{Svg.Text(run.Name)}</summary>\n<pre>");
            foreach (string line in run.Recipe.TrimEnd().Split('\n').Select(line => line.TrimEnd()))
            {
                string text = Svg.Text(line);
                html.Append(i == 0 || ofBaseline.Contains(line) ? text : $"<mark>{text}</mark>").Append('\n');
            }

            html.Append("</pre></details>\n");
        }

        html.Append("</section>\n");
    }

    private static string Legend(RunComparison comparison, string cssClass) =>
        $"<p class=\"legend {cssClass}\">"
        + string.Concat(comparison.Runs.Select((run, i) => $"<span>{Swatch(i)}{Svg.Text(run.Name)}</span> ")) + "</p>\n";

    private static string Swatch(int run) => $"<i class=\"swatch {ChartPalette.ClassesOf('f', run)}\"></i>";
}
