using Espalier.Evaluation;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Reporting;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Experiments;

/// <summary>How sharp the loss is where the run stands: before an expansion, right after it, and while the larger model trains.</summary>
internal sealed class SharpnessFigure : IPaperFigure
{
    private const int Sequences = 8, Products = 20;

    // Of the run, before and after the expansion.
    private const double Near = 0.07;

    // Checkpoints are far between; these are the updates right after the expansion.
    private const string Closely = "checkpoint={every: 50 steps, keep: 1000, at: [50.25 %, 50.625 %, 51.25 %, 52.5 %, 55 %]}";

    public string Name => "sharpness";

    public string Shows => "largest eigenvalue of the loss's Hessian on held-out text, before and after 6 layers become 12 (does growth lead to a sharper place?)";

    public IEnumerable<(string Part, SvgChart Picture)> Draw(FigureRuns runs)
    {
        RunMetrics scratch = runs.Train("12-layers");
        (LayerMapKind Map, RunMetrics Run)[] expanded = runs.Expanded("-closely", Closely);
        long growth = FigureRuns.GrowthOf(expanded[0].Run), all = scratch.Rows[^1].Step;
        (string Name, ChartPoint[] Points)[] lines =
        [
            ("from scratch", [.. Checkpoints(scratch).Select(at => new ChartPoint(at.Step, Sharpness(runs, at.Folder)))]),
            .. expanded.Select(one => (FigureRuns.NameOf(one.Map), Around(runs, one.Map, one.Run))),
        ];
        yield return ("run", Picture("over the run", "Updates", lines));
        yield return ("expansion", Picture(
            "around the expansion from 6 to 12 layers", "Updates since the expansion",
            [
                .. lines.Skip(1).Select(line => (line.Name, line.Points.Where(point => Math.Abs(point.X - growth) <= Near * all)
                    .Select(point => point with { X = point.X - growth }).ToArray())),
            ]));
    }

    /// <summary>The points of an expanded run; two of them where it grows.</summary>
    private static ChartPoint[] Around(FigureRuns runs, LayerMapKind map, RunMetrics run)
    {
        long growth = FigureRuns.GrowthOf(run);
        (long Step, string Folder)[] checkpoints = Checkpoints(run);
        int before = Array.FindLastIndex(checkpoints, at => at.Step <= growth);
        return
        [
            .. checkpoints[..(before + 1)].Select(at => new ChartPoint(at.Step, Sharpness(runs, at.Folder))),
            new ChartPoint(growth, Sharpness(runs, checkpoints[before].Folder, map)),
            .. checkpoints[(before + 1)..].Select(at => new ChartPoint(at.Step, Sharpness(runs, at.Folder))),
        ];
    }

    /// <summary>That of a checkpoint; with a map, of what it grows to, to twice its layers.</summary>
    private static double Sharpness(FigureRuns runs, string checkpoint, LayerMapKind? map = null)
    {
        using LoadedModel loaded = LoadedModel.WithoutTokenizer(checkpoint, Device.Cpu);
        int layers = loaded.Config.Layers;
        ForwardPlan plan = map is LayerMapKind kind ? ForwardPlan.Of(LayerMap.Build(kind, layers, 2 * layers)) : ForwardPlan.Plain(layers);
        using var curvature = new LossCurvature(loaded.Model, plan, runs.HeldOut(loaded.Model, Sequences));
        return curvature.Sharpness(Products);
    }

    private static (long Step, string Folder)[] Checkpoints(RunMetrics run) =>
        [.. RunDirectory.CheckpointsOf(run.Folder).Select(folder => (RunDirectory.StepOf(folder)!.Value, folder))];

    private static SvgChart Picture(string where, string x, (string Name, ChartPoint[] Points)[] lines) => new()
    {
        Title = $"Largest eigenvalue of the Hessian, {where}",
        X = new ChartAxis { Label = x },
        Y = new ChartAxis { Label = "Eigenvalue", Log = true },
        Series =
        [
            .. lines.Select((line, i) => new ChartSeries
            {
                Name = line.Name,
                Color = lines.Length == 2 ? 1 + i : i,
                Dots = true,
                Points = line.Points,
            }),
        ],
    };
}
