using Espalier.Growth;
using Espalier.Reporting;

namespace Espalier.Experiments;

/// <summary>The losses that staged training looks at, and the slopes that it grows by.</summary>
internal sealed class SlopeFigure : IPaperFigure
{
    private const int SmoothedRows = 10;
    private const double Threshold = -0.0575;

    // The first losses fall too steeply to leave anything of the rest to be seen.
    private const double BeginningLeftOut = 0.1;

    public string Name => "slope";

    public string Shows => "loss and slope curves of 6 and 12 layers and of a staged run between them (Staged Training, arXiv 2203.06211)";

    public IEnumerable<(string Part, SvgChart Picture)> Draw(FigureRuns runs)
    {
        RunMetrics small = runs.Train("6-layers", "model.n_layer=6"), large = runs.Train("12-layers");
        RunMetrics staged = runs.Train(
            "staged", "method={name: staged-training, stages: [n_layer=6, n_layer=12], boundaries: [slope -0.0575 or 50 %], rewarm: 40 steps}");
        (string Name, RunMetrics Run)[] all = [("6 layers", small), ("12 layers", large), ("staged", staged)];
        double least = BeginningLeftOut * all.Min(one => one.Run.Cost.Flops);
        long growth = FigureRuns.GrowthOf(staged);
        yield return ("loss", new SvgChart
        {
            Title = "Training loss over FLOPs",
            X = ChartAxis.PowerOfTen("FLOPs", large.Cost.Flops) with { Log = true },
            Y = new ChartAxis { Label = "Nats per token" },
            Series =
            [
                .. all.Select((one, i) => new ChartSeries
                {
                    Name = one.Name,
                    Color = i,
                    Points =
                    [
                        .. FigureRuns.Smoothed(one.Run, row => row.TrainLoss, SmoothedRows).Where(at => at.Row.Flops.Total >= least)
                            .Select(at => new ChartPoint(at.Row.Flops.Total, at.Value)),
                    ],
                    Events = one.Run == staged && growth < staged.Rows[^1].Step
                        ? [new ChartEvent(staged.Rows.First(row => row.Step >= growth).Flops.Total, "6→12")] : [],
                }),
            ],
        });
        yield return ("slope", new SvgChart
        {
            Title = "Slope of the loss over compute, both as logarithms",
            X = new ChartAxis { Label = "Updates" },
            Y = new ChartAxis { Label = "Slope, over the last third of the compute" },
            Target = Threshold,
            TargetText = "above: grow",
            Series =
            [
                .. all.Take(2).Select((one, i) => new ChartSeries
                {
                    Name = one.Name,
                    Color = i,
                    Points =
                    [
                        .. LossRule.Slopes([.. one.Run.Rows.Where(row => row.TrainLoss is not null).Select(row => ((double)row.Step, row.TrainLoss!.Value))])
                            .Where(at => at.Steps >= BeginningLeftOut * one.Run.Rows[^1].Step).Select(at => new ChartPoint(at.Steps, at.Slope)),
                    ],
                }),
            ],
        });
    }
}
