using System.Globalization;
using System.Text;
using Espalier.Reporting;

namespace Espalier.Experiments;

/// <summary>
/// An experiment's result as files: `report.html`, which needs nothing else, `result.json`, and the losses of the largest budget over
/// FLOPs and time, `loss.svg` and `time.svg`, with their numbers as CSV.
/// </summary>
public static class ExperimentPage
{
    /// <summary>The page's name in its folder.</summary>
    public const string FileName = "report.html";

    private const double BeginningLeftOut = 0.25;

    // More lines than this, labelled at their ends, want the page's whole width; more verdicts are summed up before they are told.
    private const int ManyLines = 8, ManyVerdicts = 3;

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
            WritePicture("loss", CostAxis.Flops);
            WritePicture("time", CostAxis.Time);
        }

        void WritePicture(string name, CostAxis axis)
        {
            SvgChart picture = Courses(result, result.Arms.Max(arm => arm.Budget), axis);
            AtomicFile.Write(Path.Combine(folder, name + ".csv"), picture.ToCsv());
            AtomicFile.Write(Path.Combine(folder, name + ".svg"), picture.ToSvg());
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
            html.Append("<section>\n<h2>Final loss over FLOPs</h2>\n").Append(Charts(result, Ends(result))).Append("</section>\n");
        }

        foreach (double budget in budgets.Reverse())
        {
            TextTable table = ExperimentTable.Of(result, budget);
            string[] names = [.. table.Rows.Select(row => row[0])];
            html.Append($"<section>\n<h2>{Svg.Text(table.Title)}</h2>\n");
            if (Differences(result, budget) is IntervalChart differences)
            {
                html.Append("<div class=\"charts whole\">\n").Append(HtmlPage.Figure(differences)).Append("</div>\n");
            }

            html.Append(HtmlPage.Table(
                    table.Columns, table.Rows, row => Swatch(result, result.Arms.First(arm => arm.Arm.Name == names[row]).Arm)))
                .Append(Charts(
                    result, Courses(result, budget, CostAxis.Flops), Courses(result, budget, CostAxis.Time), Sweeps(result, budget))).Append("</section>\n");
        }

        AppendVerdicts(html, result);
        AppendMethod(html, result);
        return HtmlPage.Of(result.Config.Name, Lead(result) + HtmlPage.Warnings(result.Warnings()), html);
    }

    private static string Lead(ExperimentResult result) => string.Concat(
        (result.Verdicts.Count == 0 ? ["No grown arm has come to its end yet."]
            : result.Verdicts.Count <= ManyVerdicts ? result.Verdicts.SelectMany(verdict => new[] { verdict.ToString(), verdict.AgainstTarget(result.Config.Target) }).OfType<string>()
            : result.Verdicts.GroupBy(verdict => verdict.Arm.Budget).Select(Summary))
        .Select(HtmlPage.Lead));

    /// <summary>How many pay at a budget, and which.</summary>
    private static string Summary(IGrouping<double, Verdict> verdicts)
    {
        string[] paying = [.. Those(Outcome.Pays).Select(verdict => verdict.Arm.Arm.Name)];
        int undecided = Those(Outcome.Undecided).Count(), costing = Those(Outcome.Costs).Count(), apart = Those(Outcome.NotComparable).Count();
        string others = string.Join(", ", new[] { (undecided, "undecided"), (costing, "costing"), (apart, "not comparable") }
            .Where(some => some.Item1 > 0).Select(some => string.Create(CultureInfo.InvariantCulture, $"{some.Item1} {some.Item2}")));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"At {Figures.FlopsInProse(verdicts.Key)} FLOPs {(paying.Length == 0 ? "none" : paying.Length)} of {verdicts.Count()} grown arms {(paying.Length < 2 ? "pays" : "pay")} beside {verdicts.First().Rival.Arm.Name}, the best model that never grew")
            + (paying.Length > 0 ? $": {string.Join(", ", paying)}" : "") + (others.Length > 0 ? $" ({others})." : ".");

        IEnumerable<Verdict> Those(Outcome outcome) => verdicts.Where(verdict => verdict.Outcome == outcome);
    }

    private static string Charts(ExperimentResult result, params SvgChart[] charts)
    {
        bool areMany = Array.Exists(charts, chart => chart.Series.Count > ManyLines);
        string legend = $"<p class=\"legend narrow\">{string.Concat(result.Arms.Select(arm => arm.Arm).Distinct()
            .Select(arm => $"<span>{Swatch(result, arm)}{Svg.Text(arm.Name)}</span> "))}</p>\n";
        return $"<div class=\"charts{(areMany || charts.Length == 1 ? " whole" : "")}\">\n"
            + string.Concat(charts.Select(chart => HtmlPage.Figure(
                chart, legend, areMany || charts.Length == 1 ? HtmlPage.WholePage : HtmlPage.HalfPage)))
            + "</div>\n";
    }

    /// <summary>Each grown arm's difference from the envelope; null where none is at its end.</summary>
    private static IntervalChart? Differences(ExperimentResult result, double budget)
    {
        Verdict[] verdicts = [.. result.Verdicts.Where(verdict => verdict.Arm.Budget == budget).OrderBy(verdict => verdict.Difference.Mean)];
        return verdicts.Length == 0 ? null : new IntervalChart
        {
            Title = "Held-out loss less the envelope’s, with its 95 % interval",
            Label = "Nats per token (left: pays, right: costs)",
            ZeroText = $"{verdicts[0].Rival.Arm.Name}, the best that never grew",
            Rows = [.. verdicts.Select(verdict => new ChartInterval(
                verdict.Arm.Arm.Name, verdict.Difference.Mean, verdict.Difference.HalfWidth, ColorOf(verdict.Outcome)))],
        };
    }

    // Green, orange and the neutral colour of the palette.
    private static int ColorOf(Outcome outcome) => outcome switch { Outcome.Pays => 3, Outcome.Costs => 2, _ => 0 };

    /// <summary>The held-out losses of each arm's first run while it trained.</summary>
    private static SvgChart Courses(ExperimentResult result, double budget, CostAxis axis)
    {
        ArmResult[] arms = [.. result.Arms.Where(arm => arm.Budget == budget)];
        ChartSeries[] series =
        [
            .. arms.Select(arm => Line(result, arm.Arm, LossCurve.HeldOut(RunMetrics.Load(arm.Runs[0].Folder)).Points
                .Select(point => new ChartPoint(axis == CostAxis.Flops ? point.Cost.Flops : point.Cost.Seconds, point.Loss)))),
        ];
        double longest = series.SelectMany(line => line.Points).Select(point => point.X).DefaultIfEmpty(1).Max();

        // A grown arm is measured as the whole model that it is to be: before it grows, its losses may lie far above all others.
        double[] shown =
        [
            .. series.Where((_, i) => arms[i].Arm.IsNeverGrown || arms.All(arm => !arm.Arm.IsNeverGrown)).SelectMany(line => line.Points)
                .Where(point => point.X >= BeginningLeftOut * longest).Select(point => point.Y),
        ];
        return new SvgChart
        {
            Title = string.Create(
                CultureInfo.InvariantCulture,
                $"Held-out loss over {(axis == CostAxis.Flops ? "FLOPs" : "training time")}, seed {arms[0].Runs[0].Run.Seed}"),
            X = (axis == CostAxis.Flops ? ChartAxis.PowerOfTen("FLOPs", longest) : ChartAxis.Time(longest)) with { Minimum = 0 },
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

    /// <summary>The losses of decayed runs over what they spent, and the envelope with its 95 % band.</summary>
    private static SvgChart Ends(ExperimentResult result)
    {
        ArmResult[] envelope = [.. result.Config.Budgets.Order().Select(result.Rival).OfType<ArmResult>()];
        return new SvgChart
        {
            Title = "Mean held-out loss of runs that decayed to their ends",
            X = ChartAxis.PowerOfTen("FLOPs", result.Config.Budgets.Max()) with { Log = true },
            Y = new ChartAxis { Label = "Nats per token" },
            Series =
            [
                new ChartSeries
                {
                    Name = "envelope",
                    Color = 0,
                    Strong = true,
                    Points = [.. envelope.Select(arm => new ChartPoint(arm.Cost.Flops, arm.Loss.Mean))],
                    Band =
                    [
                        .. envelope.Where(arm => arm.Loss.HalfWidth is not null).Select(arm => new ChartRange(
                            arm.Cost.Flops, arm.Loss.Mean - arm.Loss.HalfWidth!.Value, arm.Loss.Mean + arm.Loss.HalfWidth.Value)),
                    ],
                },
                .. result.Arms.GroupBy(arm => arm.Arm).Select(arm => Line(
                    result, arm.Key, arm.Select(at => new ChartPoint(at.Cost.Flops, at.Loss.Mean)))),
            ],
        };
    }

    private static ChartSeries Line(ExperimentResult result, GridArm arm, IEnumerable<ChartPoint> points)
    {
        (int color, int? round) = Look(result, arm);
        return new ChartSeries { Name = arm.Name, Color = color, Round = round, Dots = true, Points = [.. points] };
    }

    private static string Swatch(ExperimentResult result, GridArm arm)
    {
        (int color, int? round) = Look(result, arm);
        return $"<i class=\"swatch {ChartPalette.ClassesOf('f', color, round)}\"></i>";
    }

    /// <summary>Models that never grew have the neutral colour, each its own mark and dashes; grown ones have colours.</summary>
    private static (int Color, int? Round) Look(ExperimentResult result, GridArm arm)
    {
        int place = result.Arms.Select(other => other.Arm).Where(other => other.IsNeverGrown == arm.IsNeverGrown).Distinct().ToList().IndexOf(arm);
        return arm.IsNeverGrown ? (0, place) : (1 + place, null);
    }

    private static void AppendVerdicts(StringBuilder html, ExperimentResult result)
    {
        // What few verdicts say stands above already.
        if (result.Verdicts.Count > ManyVerdicts)
        {
            html.Append("<section>\n<h2>In words</h2>\n<ul class=\"verdicts\">\n");
            foreach (Verdict verdict in result.Verdicts.OrderBy(verdict => verdict.Arm.Budget).ThenBy(verdict => verdict.Difference.Mean))
            {
                html.Append($"<li>{Svg.Text($"{verdict} {verdict.AgainstTarget(result.Config.Target)}".TrimEnd())}</li>\n");
            }

            html.Append("</ul>\n</section>\n");
        }
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
        foreach (GrowthLimit limit in result.Limits)
        {
            html.Append($"<p class=\"prose\">{Svg.Text(limit.ToString())}</p>\n");
        }
    }
}
