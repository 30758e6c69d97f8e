using Espalier.Growth;
using Espalier.Reporting;
using Espalier.Training;

namespace Espalier.Experiments;

/// <summary>Loss and gradient norm around an expansion.</summary>
internal sealed class ExpansionFigure : IPaperFigure
{
    private const int SmoothedRows = 10;

    // As much of the run is shown before the expansion, and as much after it.
    private const double ShareBefore = 0.1, ShareAfter = 0.4;

    public string Name => "expansion";

    public string Shows => "loss and gradient norm around an expansion from 6 to 12 layers, stacked and interpolated (Apollo, arXiv 2401.09192)";

    public IEnumerable<(string Part, SvgChart Picture)> Draw(FigureRuns runs)
    {
        (LayerMapKind Map, RunMetrics Run)[] expanded = runs.Expanded();
        yield return ("loss", Around(expanded, "Training loss", "Nats per token", row => row.TrainLoss));
        yield return ("gradient", Around(expanded, "Norm of the gradient, before it is clipped", "Norm", row => row.GradientNorm));
    }

    private static SvgChart Around(
        (LayerMapKind Map, RunMetrics Run)[] expanded, string title, string label, Func<MetricsRow, double?> of) => new()
        {
            Title = $"{title}, around the expansion from 6 to 12 layers",
            X = new ChartAxis { Label = "Updates since the expansion" },
            Y = new ChartAxis { Label = label },
            Series =
            [
                .. expanded.Select((one, i) =>
                {
                    long growth = FigureRuns.GrowthOf(one.Run), all = one.Run.Rows[^1].Step;
                    return new ChartSeries
                    {
                        Name = FigureRuns.NameOf(one.Map),
                        Color = 1 + i,
                        Raw = [.. one.Run.Rows.Where(row => IsNear(row) && of(row) is not null).Select(row => new ChartPoint(row.Step - growth, of(row)!.Value))],
                        Points = [.. FigureRuns.Smoothed(one.Run, of, SmoothedRows).Where(at => IsNear(at.Row)).Select(at => new ChartPoint(at.Row.Step - growth, at.Value))],
                    };

                    bool IsNear(MetricsRow row) => row.Step >= growth - (ShareBefore * all) && row.Step <= growth + (ShareAfter * all);
                }),
            ],
        };
}
