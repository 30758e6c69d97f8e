using System.Text.Json;
using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Tests.Growth;

/// <summary>
/// Eight steps, most with a growth in their middle, against torch.optim.AdamW in double precision: losses, norms, rates, and
/// in the end every weight, moment and count.
/// </summary>
public class TrainingGoldenTests
{
    [Theory]
    [InlineData("keep", MomentPolicy.Keep)]
    [InlineData("map", MomentPolicy.Map)]
    [InlineData("reset", MomentPolicy.Reset)]
    [InlineData("apollo", MomentPolicy.Keep)]
    [InlineData("idle", null)]
    public void TrainsAndGrowsAsTheReference(string name, MomentPolicy? moments)
    {
        using Golden golden = Golden.Open("gpt2-training");
        JsonElement settings = golden.Metadata("settings");
        int steps = Setting("steps").GetInt32(), microBatches = Setting("micro_batches").GetInt32();
        int[][] ignored = golden.Metadata("ignored_targets").Deserialize<int[][]>()!;
        double[] expectedLoss = Near.Values(golden[name + ".loss"]), expectedNorm = Near.Values(golden[name + ".gradient_norm"]);
        double[] expectedRate = Near.Values(golden[name + ".learning_rate"]);
        Func<int, int, ForwardPlan>? early = name switch
        {
            "apollo" => ByDepth(golden.Metadata("apollo_depths").Deserialize<int[][]>()!),
            "idle" => ByLayers(golden.Metadata("idle_layers").Deserialize<int[][][]>()!),
            _ => null,
        };

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
        AdamW optimizer = new(new AdamWConfig
        {
            Beta1 = Setting("beta1").GetDouble(),
            Beta2 = Setting("beta2").GetDouble(),
            Epsilon = Setting("epsilon").GetDouble(),
            WeightDecay = Setting("weight_decay").GetDouble(),
        });
        var update = new TrainingStep(optimizer, Setting("clip_norm").GetDouble(), Compute.Cpu);
        var growth = new CopyLayers(Setting("grow_to").GetInt32(), LayerMapKind.Interpolate)
        {
            Moments = moments ?? default,
        };

        TrainingState state = Begin(golden, optimizer);
        for (int step = 0; step < steps; step++)
        {
            if (moments is not null && step == Setting("grow_after_step").GetInt32())
            {
                state = growth.Apply(state, GrowthSample.NoContext);
            }

            StepResult result = update.Run(
                state,
                microBatches,
                microBatch => early is not null && step < 4 ? early(step, microBatch) : ForwardPlan.Plain(state.Model.Config.Layers),
                (microBatch, _) => Batch(step, microBatch),
                _ => 0,
                state.Position.Rates(schedule));
            Near.Equal([expectedLoss[step]], [result.Loss], 2e-6, $"loss of step {step}");
            Near.Equal([expectedNorm[step]], [result.GradientNorm], 1e-5, $"gradient norm of step {step}");
            Near.Equal([expectedRate[step]], [result.LearningRate], 1e-6, $"learning rate of step {step}", floor: 0);
        }

        // Ten times PyTorch's own error in single precision, or what a few of its roundings amount to.
        JsonElement deviations = golden.Metadata("float32_deviation").GetProperty(name);
        var counts = golden.Metadata("step_counts").GetProperty(name).Deserialize<Dictionary<string, long>>()!;
        Assert.Equal(counts.Keys.Order(StringComparer.Ordinal), state.Model.Parameters.Select(p => p.Name).Order(StringComparer.Ordinal));
        foreach (Parameter parameter in state.Model.Parameters)
        {
            ParameterState ours = state.Optimizer[parameter.Name];
            Compare("param", parameter.Name, parameter.Value);
            Compare("exp_avg", parameter.Name, ours.Slots[AdamW.ExpAvg].Value);
            Compare("exp_avg_sq", parameter.Name, ours.Slots[AdamW.ExpAvgSq].Value);
            Assert.True(counts[parameter.Name] == ours.Steps, $"{parameter.Name}: {ours.Steps} steps, not {counts[parameter.Name]}");
        }

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

        ModelBatch Batch(int step, int microBatch)
        {
            var batch = new ModelBatch(Part("input_ids", step, microBatch), Part("targets", step, microBatch));
            Assert.Equal(batch.Targets.Count - ignored[step][microBatch], batch.TargetCount);
            return batch;
        }

        Tensor Part(string kind, int step, int microBatch)
        {
            Tensor all = golden[kind];
            return all.Narrow(0, step, 1).Narrow(1, microBatch, 1).Reshape(all.Shape[2], all.Shape[3]);
        }
    }

    private static Func<int, int, ForwardPlan> ByDepth(int[][] depths) =>
        (step, microBatch) => ForwardPlan.Of(LayerMap.Interpolate(3, depths[step][microBatch]));

    private static Func<int, int, ForwardPlan> ByLayers(int[][][] layers) =>
        (step, microBatch) => ForwardPlan.Of(layers[step][microBatch]);

    private static TrainingState Begin(Golden golden, AdamW optimizer)
    {
        ModelConfig config = golden.Model();
        ParameterSet parameters = golden.Parameters(config);
        return new TrainingState(
            Model.Of(config, parameters), OptimizerState.Begin(optimizer, parameters), new TrainingPosition());
    }
}
