using Espalier.Training;

namespace Espalier.Reporting;

/// <summary>What a loss is drawn over.</summary>
public enum CostAxis
{
    /// <summary>FLOPs, vocabulary head included.</summary>
    Flops,

    /// <summary>Wall time of training steps.</summary>
    Time,
}

/// <summary>The picture of a comparison: the loss of every run over what it cost.</summary>
public static class LossChart
{
    // The fall of the first few per cent would press everything of interest against the floor.
    private const double BeginningLeftOut = 0.06;
    private const double RoomBelow = 0.2;

    /// <summary>Draws all runs, the target, where it is reached, and growth.</summary>
    /// <param name="comparison">The runs.</param>
    /// <param name="kind">Which loss.</param>
    /// <param name="axis">Over which cost.</param>
    /// <returns>The picture as SVG.</returns>
    public static string Svg(RunComparison comparison, LossKind kind, CostAxis axis) => Of(comparison, kind, axis).ToSvg();

    /// <inheritdoc cref="Svg"/>
    /// <returns>The picture.</returns>
    internal static SvgChart Of(RunComparison comparison, LossKind kind, CostAxis axis)
    {
        LossComparison losses = kind == LossKind.Train ? comparison.Train : comparison.Valid;
        double longest = comparison.Runs.Max(run => CostOn(axis, run.Cost));
        string name = ComparisonTable.LossName(kind);
        return new SvgChart
        {
            Title = $"{name} over {(axis == CostAxis.Flops ? "FLOPs" : "wall time")}",
            X = (axis == CostAxis.Flops ? ChartAxis.PowerOfTen("FLOPs", longest) : ChartAxis.Time(longest)) with { Minimum = 0 },
            Y = LossAxis("Nats per token", losses, axis, longest),
            Target = losses.Target,
            TargetText = losses.Target is null ? "" : $"where {losses.Baseline} ends: {Figures.Loss(losses.Target)}",
            Series = [.. comparison.Runs.Select((run, index) => Series(run, losses.Runs[index], index, kind, axis))],
        };
    }

    private static ChartSeries Series(RunMetrics run, RunSaving saving, int color, LossKind kind, CostAxis axis)
    {
        double? saved = axis == CostAxis.Flops ? saving.FlopsSaving : saving.WallSaving;
        return new ChartSeries
        {
            Name = run.Name,
            Color = color,
            Points = [.. saving.Curve.Points.Select(p => new ChartPoint(CostOn(axis, p.Cost), p.Loss))],
            Raw = kind == LossKind.Valid ? [] :
                [.. run.Rows.Where(r => r.TrainLoss is not null)
                    .Select(r => new ChartPoint(CostOn(axis, Cost.Of(r)), r.TrainLoss!.Value))],
            Dots = kind == LossKind.Valid,
            Events = [.. Growth(run).Select(g => new ChartEvent(CostOn(axis, g.Cost), g.Text))],
            Marker = saving.Reaching is LossPoint reached ? new ChartPoint(CostOn(axis, reached.Cost), reached.Loss) : null,
            MarkerText = saving.IsBaseline ? "" : saved switch
            {
                null => "",
                >= 0 => "−" + Figures.Percent(saved),
                _ => "+" + Figures.Percent(-saved),
            },
        };
    }

    private static IEnumerable<(Cost Cost, string Text)> Growth(RunMetrics run)
    {
        MetricsRow? before = null;
        foreach (MetricsRow row in run.Rows.Where(row => row.StoredLayers is not null))
        {
            if (before is not null && before.StoredLayers != row.StoredLayers)
            {
                yield return (Cost.Of(before), $"{before.StoredLayers}→{row.StoredLayers}");
            }

            before = row;
        }
    }

    private static ChartAxis LossAxis(string label, LossComparison losses, CostAxis axis, double longest)
    {
        double[] shown = [.. losses.Runs.SelectMany(run => run.Curve.Points)
            .Where(point => CostOn(axis, point.Cost) >= BeginningLeftOut * longest)
            .Select(point => point.Loss)];
        if (shown.Length == 0)
        {
            return new ChartAxis { Label = label };
        }

        (double low, double high) = (shown.Min(), shown.Max());
        return new ChartAxis { Label = label, Minimum = low - ((high - low) * RoomBelow), Maximum = high };
    }

    private static double CostOn(CostAxis axis, Cost cost) => axis == CostAxis.Flops ? cost.Flops : cost.Seconds;
}
