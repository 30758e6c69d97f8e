using Espalier.Growth;
using Espalier.Models;
using Espalier.Reporting;
using Espalier.Torch;
using Espalier.Training;
using MathNet.Numerics.LinearAlgebra;

namespace Espalier.Experiments;

/// <summary>Whether copied layers learn: how far they get from their source, what gradient they have, and of which rank they are.</summary>
internal sealed class CopiesFigure : IPaperFigure
{
    public string Name => "copies";

    public string Shows => "after 6 layers have become 12: cosine of weights to their source, gradient by layer, effective rank (do new layers learn at all?)";

    public IEnumerable<(string Part, SvgChart Picture)> Draw(FigureRuns runs)
    {
        (LayerMapKind Map, RunMetrics Run)[] expanded = runs.Expanded();
        yield return ("cosine", Cosines(expanded));
        yield return ("gradient", Gradients(runs, expanded));
        yield return ("rank", Ranks([("from scratch", runs.Train("12-layers")), .. expanded.Select(one => (FigureRuns.NameOf(one.Map), one.Run))]));
    }

    private static SvgChart Cosines((LayerMapKind Map, RunMetrics Run)[] expanded) => new()
    {
        Title = "Cosine of the weights of both copies to the layer that they are made from",
        X = new ChartAxis { Label = "Updates since the expansion", Minimum = 0 },
        Y = new ChartAxis { Label = "Cosine, mean over matrices" },
        Series =
        [
            .. expanded.SelectMany((one, i) =>
            {
                long growth = FigureRuns.GrowthOf(one.Run);
                (long Step, string Folder)[] checkpoints = Checkpoints(one.Run);
                using LoadedModel source = Load(checkpoints.Last(at => at.Step <= growth).Folder);
                var lines = new[] { new List<ChartPoint> { new(0, 1) }, [new(0, 1)] };
                foreach ((long step, string folder) in checkpoints.Where(at => at.Step > growth))
                {
                    using LoadedModel grown = Load(folder);
                    int[] map = LayerMap.Build(one.Map, source.Config.Layers, grown.Config.Layers);
                    foreach (var group in Enumerable.Range(0, map.Length).GroupBy(layer => Array.IndexOf(map, map[layer]) == layer ? 0 : 1))
                    {
                        double cosine = group.Average(layer => Matrices(grown.Model, layer).Average(
                            matrix => Cosine(matrix.Value, source.Model.Parameters[map[layer], matrix.Spec.Role])));
                        lines[group.Key].Add(new ChartPoint(step - growth, cosine));
                    }
                }

                return lines.Select((points, copy) => new ChartSeries
                {
                    Name = $"{FigureRuns.NameOf(one.Map)}, {(copy == 0 ? "1st" : "2nd")}",
                    Color = 1 + i,
                    Round = copy,
                    Dots = true,
                    Points = points,
                });
            }),
        ],
    };

    private static SvgChart Gradients(FigureRuns runs, (LayerMapKind Map, RunMetrics Run)[] expanded) => new()
    {
        Title = "Share of each layer in the squared gradient, on held-out text",
        X = new ChartAxis { Label = "Layer, from the bottom" },
        Y = new ChartAxis { Label = "Share", Log = true },
        Series =
        [
            .. expanded.SelectMany((one, i) =>
            {
                (long Step, string Folder)[] checkpoints = Checkpoints(one.Run);
                using LoadedModel source = Load(checkpoints.Last(at => at.Step <= FigureRuns.GrowthOf(one.Run)).Folder);
                using LoadedModel last = Load(checkpoints[^1].Folder);
                var atOnce = ForwardPlan.Of(LayerMap.Build(one.Map, source.Config.Layers, last.Config.Layers));
                return new[] { Line(source.Model, atOnce, "at hop", 0), Line(last.Model, ForwardPlan.Plain(last.Config.Layers), "end", 1) };

                ChartSeries Line(Model model, ForwardPlan plan, string when, int round) => new()
                {
                    Name = $"{FigureRuns.NameOf(one.Map)}, {when}",
                    Color = 1 + i,
                    Round = round,
                    Dots = true,
                    Points = [.. Shares(model, plan, runs.HeldOut(model)).Select((share, layer) => new ChartPoint(layer + 1, share))],
                };
            }),
        ],
    };

    private static SvgChart Ranks((string Name, RunMetrics Run)[] runs) => new()
    {
        Title = "Effective rank of the layers’ matrices, as a share of the full one",
        X = new ChartAxis { Label = "Updates" },
        Y = new ChartAxis { Label = "Share, mean over layers" },
        Series =
        [
            .. runs.Select((one, i) => new ChartSeries
            {
                Name = one.Name,
                Color = i,
                Points =
                [
                    .. Checkpoints(one.Run).Select(checkpoint =>
                    {
                        using LoadedModel model = Load(checkpoint.Folder);
                        return new ChartPoint(checkpoint.Step, Enumerable.Range(0, model.Config.Layers)
                            .SelectMany(layer => Matrices(model.Model, layer)).Average(matrix => RankShare(matrix.Value)));
                    }),
                ],
            }),
        ],
    };

    private static LoadedModel Load(string checkpoint) => LoadedModel.WithoutTokenizer(checkpoint, Device.Cpu);

    private static (long Step, string Folder)[] Checkpoints(RunMetrics run) =>
        [.. RunDirectory.CheckpointsOf(run.Folder).Select(folder => (RunDirectory.StepOf(folder)!.Value, folder))];

    private static IEnumerable<Parameter> Matrices(Model model, int layer) =>
        model.Parameters.Where(parameter => parameter.Spec.Layer == layer && parameter.Spec.Axes.Count > 1);

    private static double Cosine(Tensor a, Tensor b)
    {
        float[] x = a.ToArray<float>(), y = b.ToArray<float>();
        return Dot(x, y) / Math.Sqrt(Dot(x, x) * Dot(y, y));

        static double Dot(float[] p, float[] q) => p.Zip(q, (u, v) => (double)u * v).Sum();
    }

    /// <summary>The squared gradient of each layer that a plan executes, every one with weights of its own, over all of them.</summary>
    private static double[] Shares(Model model, ForwardPlan plan, ModelBatch batch)
    {
        using var scope = new TensorScope();
        ModelConfig config = model.Config with { Layers = plan.Depth };
        var own = new ParameterSet(model.Parameters.Unroll(model.Architecture.Parameters(config), plan)
            .Select(parameter => parameter with { Value = ParameterSet.Trainable(parameter.Value.Detach()) }));
        ForwardPass.LossSum(model with { Config = config, Parameters = own }, batch, ForwardPlan.Plain(plan.Depth)).Backward();
        double[] squares =
        [
            .. Enumerable.Range(0, plan.Depth).Select(layer => own.Where(parameter => parameter.Spec.Layer == layer)
                .Sum(parameter => parameter.Value.Grad!.ToArray<float>().Sum(value => (double)value * value))),
        ];
        return [.. squares.Select(square => square / squares.Sum())];
    }

    /// <summary>The exponential of the entropy of the singular values (Roy and Vetterli 2007), over their number.</summary>
    private static double RankShare(Tensor matrix)
    {
        Matrix<double> m = Matrix<double>.Build.DenseOfRowMajor(
            (int)matrix.Shape[0], (int)matrix.Shape[1], matrix.ToArray<float>().Select(value => (double)value));
        Matrix<double> gram = m.RowCount <= m.ColumnCount ? m.TransposeAndMultiply(m) : m.TransposeThisAndMultiply(m);
        double[] singular = [.. gram.Evd(Symmetricity.Symmetric).EigenValues.Select(value => Math.Sqrt(Math.Max(0, value.Real)))];
        double sum = singular.Sum();
        return Math.Exp(-singular.Where(value => value > 0).Sum(value => value / sum * Math.Log(value / sum))) / singular.Length;
    }
}
