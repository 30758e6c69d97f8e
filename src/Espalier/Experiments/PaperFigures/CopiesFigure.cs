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

    public string Shows => "after 6 layers have become 12: cosine of weights to their source, gradient by layer, effective rank of weights and of what updates change (do new layers learn at all?)";

    public IEnumerable<(string Part, SvgChart Picture)> Draw(FigureRuns runs)
    {
        (LayerMapKind Map, RunMetrics Run)[] expanded = runs.Expanded();
        yield return ("cosine", Cosines(expanded));
        yield return ("gradient", Gradients(runs, expanded));
        (string, RunMetrics)[] all = [("from scratch", runs.Train("12-layers")), .. expanded.Select(one => (FigureRuns.NameOf(one.Map), one.Run))];
        yield return ("rank", Ranks("Effective rank of the layers’ matrices, as a share of the full one", all, WeightRanks));
        yield return ("update-rank", Ranks("Effective rank of what the updates between two checkpoints change", all, UpdateRanks));
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
                return new[] { Line(source.Model, atOnce, "hop", 0), Line(last.Model, ForwardPlan.Plain(last.Config.Layers), "end", 1) };

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

    private static SvgChart Ranks(
        string title, (string Name, RunMetrics Run)[] runs, Func<(long Step, string Folder)[], IEnumerable<ChartPoint>> of) => new()
        {
            Title = title,
            X = new ChartAxis { Label = "Updates" },
            Y = new ChartAxis { Label = "Share, mean over layers" },
            Series =
            [
                .. runs.Select((one, i) => new ChartSeries
                {
                    Name = one.Name,
                    Color = i,
                    Points = [.. of(Checkpoints(one.Run))],
                }),
            ],
        };

    private static IEnumerable<ChartPoint> WeightRanks((long Step, string Folder)[] checkpoints) => checkpoints.Select(checkpoint =>
    {
        using LoadedModel model = Load(checkpoint.Folder);
        return new ChartPoint(checkpoint.Step, Matrices(model.Model).Average(matrix => RankShare(matrix.Value)));
    });

    /// <summary>Of W at a checkpoint less W at the one before; none where layers were added between the two.</summary>
    private static IEnumerable<ChartPoint> UpdateRanks((long Step, string Folder)[] checkpoints)
    {
        foreach (var ((_, earlier), (step, later)) in checkpoints.Zip(checkpoints.Skip(1)))
        {
            using LoadedModel before = Load(earlier), after = Load(later);
            if (before.Config.Layers == after.Config.Layers)
            {
                using var noGrad = new NoGrad();
                using var scope = new TensorScope();
                yield return new ChartPoint(step, Matrices(after.Model).Zip(Matrices(before.Model))
                    .Average(pair => RankShare(pair.First.Value - pair.Second.Value)));
            }
        }
    }

    private static LoadedModel Load(string checkpoint) => LoadedModel.WithoutTokenizer(checkpoint, Device.Cpu);

    private static (long Step, string Folder)[] Checkpoints(RunMetrics run) =>
        [.. RunDirectory.CheckpointsOf(run.Folder).Select(folder => (RunDirectory.StepOf(folder)!.Value, folder))];

    private static IEnumerable<Parameter> Matrices(Model model, int layer) =>
        model.Parameters.Where(parameter => parameter.Spec.Layer == layer && parameter.Spec.Axes.Count > 1);

    private static IEnumerable<Parameter> Matrices(Model model) =>
        Enumerable.Range(0, model.Config.Layers).SelectMany(layer => Matrices(model, layer));

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
