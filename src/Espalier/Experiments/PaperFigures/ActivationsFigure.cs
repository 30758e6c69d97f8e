using Espalier.Growth;
using Espalier.Models;
using Espalier.Reporting;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Experiments;

/// <summary>What layers put out before and right after an expansion: a copied layer is one that runs twice.</summary>
internal sealed class ActivationsFigure : IPaperFigure
{
    private const int Bins = 80;

    // Of the values that all three have, so many lie within the picture.
    private const double Shown = 0.998;

    public string Name => "activations";

    public string Shows => "distribution of output activations before and after 6 layers become 12, stacked and interpolated (Apollo, arXiv 2401.09192)";

    public IEnumerable<(string Part, SvgChart Picture)> Draw(FigureRuns runs)
    {
        RunMetrics run = runs.Expanded()[0].Run;
        string before = RunDirectory.CheckpointsOf(run.Folder).Last(checkpoint => RunDirectory.StepOf(checkpoint) <= FigureRuns.GrowthOf(run));
        using LoadedModel small = LoadedModel.WithoutTokenizer(before, Device.Cpu);
        int stored = small.Config.Layers;
        (string Name, int[] Layers)[] ways =
        [
            ("before", [.. Enumerable.Range(0, stored)]),
            ("stack", LayerMap.Stack(stored, 2 * stored)),
            ("interpolate", LayerMap.Interpolate(stored, 2 * stored)),
        ];
        ModelBatch batch = runs.HeldOut(small.Model);
        (string Name, float[][] Outputs)[] made = [.. ways.Select(way => (way.Name, Outputs(small.Model, batch, way.Layers)))];
        yield return ("distribution", Distribution(made));
        yield return ("deviation", new SvgChart
        {
            Title = "Deviation of the residual stream after each layer",
            X = new ChartAxis { Label = "Layer, as a share of all" },
            Y = new ChartAxis { Label = "Standard deviation", Minimum = 0 },
            Series =
            [
                .. made.Select((one, i) => new ChartSeries
                {
                    Name = one.Name,
                    Color = i,
                    Dots = true,
                    Points = [.. one.Outputs.Select((values, layer) => new ChartPoint((layer + 1.0) / one.Outputs.Length, Deviation(values)))],
                }),
            ],
        });
    }

    /// <summary>What each layer leaves in the residual stream, before the final norm.</summary>
    private static float[][] Outputs(Model model, ModelBatch batch, int[] layers)
    {
        using var _ = new NoGrad();
        using var scope = new TensorScope();
        var plan = ForwardPlan.Of(layers);
        Tensor x_BTC = model.Architecture.Embed(new ModelPart(model, plan, hasDropout: false), batch.Input);
        float[][] outputs = new float[plan.Depth][];
        for (int i = 0; i < outputs.Length; i++)
        {
            x_BTC = model.Architecture.Layer(new ModelPart(model, plan.Layers[i], hasDropout: false), x_BTC, batch.Input.Lengths);
            outputs[i] = x_BTC.ToArray<float>();
        }

        return outputs;
    }

    private static SvgChart Distribution((string Name, float[][] Outputs)[] made)
    {
        float[] sizes = [.. made.SelectMany(one => one.Outputs[^1]).Select(Math.Abs).Order()];
        double end = sizes[(int)(Shown * (sizes.Length - 1))], width = 2 * end / Bins;
        return new SvgChart
        {
            Title = "What the last layer puts out, before the final norm",
            X = new ChartAxis { Label = "Value", Minimum = -end, Maximum = end },
            Y = new ChartAxis { Label = "Density", Minimum = 0 },
            Series =
            [
                .. made.Select((one, i) =>
                {
                    int[] counts = new int[Bins];
                    foreach (float value in one.Outputs[^1].Where(value => Math.Abs(value) < end))
                    {
                        counts[Math.Min(Bins - 1, (int)((value + end) / width))]++;
                    }

                    return new ChartSeries
                    {
                        Name = one.Name,
                        Color = i,
                        Points = [.. counts.Select((count, bin) => new ChartPoint(((bin + 0.5) * width) - end, count / width / one.Outputs[^1].Length))],
                    };
                }),
            ],
        };
    }

    private static double Deviation(float[] values)
    {
        double mean = values.Average();
        return Math.Sqrt(values.Average(value => (value - mean) * (value - mean)));
    }
}
