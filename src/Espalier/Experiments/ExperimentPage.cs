using System.Globalization;
using System.Text;
using Espalier.Reporting;

namespace Espalier.Experiments;

/// <summary>An experiment's result as files: `report.html`, which needs nothing else, `result.json`, and its picture, `loss.svg`.</summary>
public static class ExperimentPage
{
    /// <summary>The page's name in its folder.</summary>
    public const string FileName = "report.html";

    private const double BeginningLeftOut = 0.06;

    /// <summary>Writes the files, each first beside its place, then renamed into it.</summary>
    /// <param name="folder">Made if it is not there.</param>
    /// <param name="result">The result.</param>
    /// <exception cref="UserErrorException">A file cannot be written, or a run cannot be read.</exception>
    public static void Write(string folder, ExperimentResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{folder} cannot be made: {exception.Message}", "Choose another --out.", exception);
        }

        AtomicFile.Write(Path.Combine(folder, "result.json"), result.ToJson() + "\n");
        AtomicFile.Write(Path.Combine(folder, FileName), Render(result));
        if (result.Arms.Count > 0)
        {
            AtomicFile.Write(Path.Combine(folder, "loss.svg"), Courses(result, result.Arms.Max(arm => arm.Budget)).ToSvg());
        }
    }

    /// <summary>The text of the page.</summary>
    /// <param name="result">The result.</param>
    public static string Render(ExperimentResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        var html = new StringBuilder();
        double[] budgets = [.. result.Arms.Select(arm => arm.Budget).Distinct().Order()];
        if (budgets.Length > 1)
        {
            html.Append("<section>\n<h2>Final loss over FLOPs</h2>\n<div class=\"charts\">\n")
                .Append(HtmlPage.Figure(Ends(result))).Append("</div>\n</section>\n");
        }

        foreach (double budget in budgets.Reverse())
        {
            TextTable table = ExperimentTable.Of(result, budget);
            html.Append($"<section>\n<h2>{Svg.Text(table.Title)}</h2>\n").Append(HtmlPage.Table(table.Columns, table.Rows))
                .Append("<div class=\"charts\">\n")
                .Append(HtmlPage.Figure(Courses(result, budget))).Append(HtmlPage.Figure(Sweeps(result, budget)))
                .Append("</div>\n</section>\n");
        }

        AppendMethod(html, result);
        return HtmlPage.Of(result.Config.Name, Lead(result) + HtmlPage.Warnings(result.Warnings()), html);
    }

    private static string Lead(ExperimentResult result) => string.Concat(
        (result.Verdicts.Count > 0 ? result.Verdicts.Select(verdict => verdict.ToString()) : ["No grown arm has come to its end yet."])
        .Select(HtmlPage.Lead));

    /// <summary>The held-out losses of each arm's first run while it trained.</summary>
    private static SvgChart Courses(ExperimentResult result, double budget)
    {
        ArmResult[] arms = [.. result.Arms.Where(arm => arm.Budget == budget)];
        ChartSeries[] series =
        [
            .. arms.Select(arm => Line(result, arm.Arm, LossCurve.HeldOut(RunMetrics.Load(arm.Runs[0].Folder)).Points
                .Select(point => new ChartPoint(point.Cost.Flops, point.Loss)))),
        ];
        double[] shown =
        [
            .. series.SelectMany(line => line.Points).Where(point => point.X >= BeginningLeftOut * budget).Select(point => point.Y),
        ];
        return new SvgChart
        {
            Title = string.Create(CultureInfo.InvariantCulture, $"Held-out loss while training, seed {arms[0].Runs[0].Run.Seed}"),
            X = ChartAxis.PowerOfTen("FLOPs", budget) with { Minimum = 0 },
            Y = shown.Length > 0
                ? new ChartAxis { Label = "Nats per token", Minimum = shown.Min() - (0.05 * (shown.Max() - shown.Min())), Maximum = shown.Max() }
                : new ChartAxis { Label = "Nats per token" },
            Series = series,
        };
    }

    /// <summary>The losses of each arm's sweep.</summary>
    private static SvgChart Sweeps(ExperimentResult result, double budget) => new()
    {
        Title = "Held-out loss at the end, by peak learning rate",
        X = new ChartAxis { Label = "Peak learning rate", Log = true },
        Y = new ChartAxis { Label = "Nats per token" },
        Series =
        [
            .. result.Arms.Where(arm => arm.Budget == budget).Select(arm => Line(
                result, arm.Arm, arm.Sweep.Where(rate => rate.Loss is not null).Select(rate => new ChartPoint(rate.LearningRate, rate.Loss!.Value)))),
        ],
    };

    /// <summary>The losses of decayed runs over what they spent.</summary>
    private static SvgChart Ends(ExperimentResult result) => new()
    {
        Title = "Mean held-out loss of runs that decayed to their ends",
        X = new ChartAxis { Label = "FLOPs", Log = true },
        Y = new ChartAxis { Label = "Nats per token" },
        Series =
        [
            .. result.Arms.GroupBy(arm => arm.Arm).Select(arm => Line(
                result, arm.Key, arm.Select(at => new ChartPoint(at.Cost.Flops, at.Loss.Mean)))),
        ],
    };

    /// <summary>Models that never grew are neutral, their best dashed no more; grown ones have colours.</summary>
    private static ChartSeries Line(ExperimentResult result, GridArm arm, IEnumerable<ChartPoint> points)
    {
        string[] grown = [.. result.Arms.Where(other => !other.Arm.IsNeverGrown).Select(other => other.Arm.Name).Distinct()];
        return new ChartSeries
        {
            Name = arm.Name,
            Color = arm.IsNeverGrown ? 0 : 1 + Array.IndexOf(grown, arm.Name),
            Dashed = arm.IsNeverGrown && result.Config.Budgets.All(budget => result.Rival(budget)?.Arm != arm),
            Dots = true,
            Points = [.. points],
        };
    }

    private static void AppendMethod(StringBuilder html, ExperimentResult result)
    {
        string seeds = string.Join(", ", result.Config.Seeds.Take(result.Config.SweepSeeds));
        html.Append($"""
            <section class="prose">
            <h2>How it is measured</h2>
            <p>Every run spends the same FLOPs, vocabulary head, growth and trials included, and decays its learning rate to its own end. Each arm’s rate is the best of its sweep on held-out loss (seed {Svg.Text(seeds)}); all seeds then run at that rate, and arms are compared seed by seed.</p>
            <p>The envelope is the best model of a fixed size at that budget. An arm pays where the 95 % interval of its paired difference from the envelope (Student’s t) lies below zero, costs where it lies above, and is undecided otherwise. Rates were chosen on the text that is reported, for all arms alike.</p>
            </section>

            """);
        foreach (string sentence in result.Sentences().Skip(result.Verdicts.Count))
        {
            html.Append($"<p class=\"prose\">{Svg.Text(sentence)}</p>\n");
        }
    }
}
