using System.Text.Json;
using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Tests.Growth;

/// <summary>
/// Eight steps with a growth in their middle against torch.optim.AdamW in double precision: losses, norms, rates, and
/// in the end every weight and moment.
/// </summary>
public class TrainingGoldenTests
{
    [Theory]
    [InlineData("keep", MomentPolicy.Keep)]
    [InlineData("map", MomentPolicy.Map)]
    [InlineData("apollo", MomentPolicy.Keep)]
    public void TrainsAndGrowsAsTheReference(string name, MomentPolicy moments)
    {
        using Golden golden = Golden.Open("gpt2-training");
        JsonElement settings = golden.Metadata("settings");
        int steps = Setting("steps").GetInt32(), growAfter = Setting("grow_after_step").GetInt32();
        int[][] depths = name == "apollo" ? golden.Metadata("apollo_depths").Deserialize<int[][]>()! : [];
        Tensor expectedLoss = golden[name + ".loss"], expectedNorm = golden[name + ".gradient_norm"];
        Tensor expectedRate = golden[name + ".learning_rate"];

        double peak = Setting("peak").GetDouble();
        var schedule = new LearningRate(
            new LearningRateConfig
            {
                Peak = peak,
                Final = Setting("final").GetDouble() / peak,
                Warmup = Duration.Steps(Setting("warmup").GetInt64()),
            },
            steps,
            tokensPerStep: 1);
        AdamW optimizer = new(new OptimizerConfig
        {
            Beta1 = Setting("beta1").GetDouble(),
            Beta2 = Setting("beta2").GetDouble(),
            Epsilon = Setting("epsilon").GetDouble(),
            WeightDecay = Setting("weight_decay").GetDouble(),
            ClipNorm = Setting("clip_norm").GetDouble(),
        });

        ModelConfig model = golden.Model();
        ParameterSet parameters = golden.Parameters(model);
        var state = new TrainingState(
            model, parameters, new AdamWState(parameters.ToDictionary(p => p.Name, p => Moments.Empty(p.Value)), 0),
            new TrainingPosition());
        var growth = new DepthGrowth(Setting("grow_to").GetInt32(), LayerMapKind.Interpolate, moments);
        int microBatches = Setting("micro_batches").GetInt32();
        for (int step = 0; step < steps; step++)
        {
            state = step == growAfter ? growth.Apply(state) : state;
            using var scope = new TensorScope();
            foreach (Parameter parameter in state.Parameters)
            {
                parameter.Value.ClearGrad();
            }

            double total = 0;
            for (int microBatch = 0; microBatch < microBatches; microBatch++)
            {
                int stored = state.Model.Layers;
                int depth = step < depths.Length ? depths[step][microBatch] : stored;
                Tensor loss = new Gpt2().Loss(
                    state.Model, state.Parameters,
                    new ModelBatch(Batch("input_ids", step, microBatch), Batch("targets", step, microBatch)),
                    new ForwardPlan(LayerMap.Interpolate(stored, depth)), training: true) * (1.0 / microBatches);
                loss.Backward();
                total += loss.Item();
            }

            double norm = AdamW.GradientNorm(state.Parameters), rate = schedule.At(step);
            Near.Equal([At(expectedLoss, step)], [total], 2e-6, $"loss of step {step}");
            Near.Equal([At(expectedNorm, step)], [norm], 1e-5, $"gradient norm of step {step}");
            Near.Equal([At(expectedRate, step)], [rate], 1e-6, $"learning rate of step {step}", floor: 0);
            optimizer.Step(state.Parameters, state.Optimizer, norm, rate);
        }

        // Ten times PyTorch's own error in single precision, or what a few of its roundings amount to.
        JsonElement deviations = golden.Metadata("float32_deviation").GetProperty(name);
        foreach (Parameter parameter in state.Parameters)
        {
            Moments ours = state.Optimizer.Moments[parameter.Name];
            Compare("param", parameter.Name, parameter.Value);
            Compare("exp_avg", parameter.Name, ours.ExpAvg);
            Compare("exp_avg_sq", parameter.Name, ours.ExpAvgSq);
        }

        Assert.Equal(steps, state.Optimizer.StepCount);
        state.Dispose();

        void Compare(string kind, string parameter, Tensor actual)
        {
            double[] a = Near.Values(golden[$"{name}.{kind}.{parameter}"]), b = Near.Values(actual);
            double allowed = Math.Max(10 * deviations.GetProperty(kind).GetDouble(), 3e-6 * a.Max(Math.Abs));
            Assert.Equal(a.Length, b.Length);
            int third = parameter.EndsWith("attn.c_attn.bias", StringComparison.Ordinal) ? a.Length / 3 : a.Length;
            for (int i = 0; i < a.Length; i++)
            {
                // The keys' biases have no true gradient: AdamW divides their noise by itself.
                if (i / third != 1)
                {
                    Assert.True(Math.Abs(a[i] - b[i]) <= allowed, $"{kind} {parameter}[{i}]: {a[i]:R} but {b[i]:R}");
                }
            }
        }

        JsonElement Setting(string key) => settings.GetProperty(key);

        Tensor Batch(string kind, int step, int microBatch)
        {
            Tensor all = golden[kind];
            return all.Narrow(0, step, 1).Narrow(1, microBatch, 1).Reshape(all.Shape[2], all.Shape[3]);
        }

        static double At(Tensor values, int index) => Near.Values(values)[index];
    }
}
