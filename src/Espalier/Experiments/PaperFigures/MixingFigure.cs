using System.Globalization;
using Espalier.Reporting;

namespace Espalier.Experiments;

/// <summary>How long a grown run takes to be where the run of a fixed size is, by when it grew.</summary>
internal sealed class MixingFigure : IPaperFigure
{
    private const int SmoothedRows = 40;

    // As near as this it has caught up.
    private const double Tolerance = 0.005;

    private static readonly int[] Taus = [10, 25, 40, 55, 70];

    private static readonly (string Name, string Run, string Method)[] Ways =
    [
        ("1 to 6, fresh", "1-to-6-fresh", "name: late-growth, stages: [1, 6], new_layers: fresh"),
        ("3 to 6, copies", "3-to-6-interpolated", "name: late-growth, stages: [3, 6], new_layers: interpolate"),
    ];

    public string Name => "mixing";

    public string Shows => "t_mix over tau: updates until a run that grew late is where the fixed one is (arXiv 2511.04981)";

    public IEnumerable<(string Part, SvgChart Picture)> Draw(FigureRuns runs)
    {
        (long Step, double Loss)[] goal = Losses(runs.Train("6-layers", "model.n_layer=6"));
        (int Way, long Tau, (long Since, double Gap)[] Gaps)[] grown =
        [
            .. Ways.Index().SelectMany(way => Taus.Select(tau =>
            {
                RunMetrics run = runs.Train(
                    string.Create(CultureInfo.InvariantCulture, $"{way.Item.Run}-at-{tau}"),
                    "model.n_layer=6", $"method={{{way.Item.Method}, boundaries: [{tau} %]}}");
                long growth = FigureRuns.GrowthOf(run);
                return (way.Index, growth, Losses(run).Zip(goal).Where(at => at.First.Step >= growth + SmoothedRows)
                    .Select(at => (at.First.Step - growth, (at.First.Loss / at.Second.Loss) - 1)).ToArray());
            })),
        ];
        yield return ("updates", new SvgChart
        {
            Title = "Updates from the growth to where the run stays at the fixed one’s loss",
            X = new ChartAxis { Label = "tau: the update of the growth" },
            Y = new ChartAxis { Label = "t_mix: updates", Minimum = 0 },
            Series =
            [
                .. Ways.Select((way, i) => new ChartSeries
                {
                    Name = way.Name,
                    Color = 1 + i,
                    Dots = true,
                    Points = [.. grown.Where(run => run.Way == i && Mixing(run.Gaps) is not null).Select(run => new ChartPoint(run.Tau, Mixing(run.Gaps)!.Value))],
                }),
            ],
        });
        yield return ("gap", new SvgChart
        {
            Title = "Loss above that of the fixed run",
            X = new ChartAxis { Label = "Updates since the growth", Minimum = 0 },
            Y = new ChartAxis { Label = "Per cent", Unit = 0.01 },
            Target = Tolerance,
            TargetText = "caught up",
            Series =
            [
                .. grown.Where(run => run.Gaps.Length > 1).Select(run => new ChartSeries
                {
                    Name = string.Create(CultureInfo.InvariantCulture, $"{Ways[run.Way].Name[..6]} at {run.Tau}"),
                    Color = 1 + run.Way,
                    Round = Array.FindIndex([.. grown.Where(other => other.Way == run.Way)], other => other.Tau == run.Tau),
                    Points = [.. run.Gaps.Select(at => new ChartPoint(at.Since, at.Gap))],
                }),
            ],
        });
    }

    private static (long Step, double Loss)[] Losses(RunMetrics run) =>
        [.. FigureRuns.Smoothed(run, row => row.TrainLoss, SmoothedRows).Select(at => (at.Row.Step, at.Value))];

    /// <summary>From when on the gap stays small; null where it is not at the end.</summary>
    private static double? Mixing((long Since, double Gap)[] gaps)
    {
        int last = Array.FindLastIndex(gaps, at => at.Gap > Tolerance);
        return last + 1 < gaps.Length ? gaps[last + 1].Since : null;
    }
}
