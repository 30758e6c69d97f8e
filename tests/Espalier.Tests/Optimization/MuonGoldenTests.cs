using System.Text.Json;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Tests.Optimization;

/// <summary>
/// Muon, with AdamW or normalized gradients beside it, and gradient descent, update by update against the formulas written out
/// tensor by tensor in double precision, with clipping and weight decay, for both ways in which a matrix can lie.
/// </summary>
public class MuonGoldenTests
{
    public static IEnumerable<object[]> Cases =>
        from model in new[] { "muon-gpt2", "muon-bert" }
        from name in new[] { "muon-rms", "muon-spectral", "muon-nsgd", "sgd" }
        select new object[] { model, name };

    [Theory]
    [MemberData(nameof(Cases))]
    public void EveryUpdateIsTheReferences(string model, string name)
    {
        using Golden golden = Golden.Open(model);
        JsonElement settings = golden.Metadata("cases").GetProperty(name);
        OptimizerConfig config = ConfigOf(golden, settings);
        IOptimizer optimizer = config.Create();
        double allowed = 10 * golden.Metadata("float32_deviation").GetProperty(name).GetDouble();
        using ParameterSet parameters = golden.Parameters(golden.Model());
        using var state = OptimizerState.Begin(optimizer, parameters);
        double[] rates = golden.Metadata("rates").Deserialize<double[]>()!;
        for (int step = 0; step < rates.Length; step++)
        {
            foreach (Parameter parameter in parameters)
            {
                Tensor gradient = golden["grad." + parameter.Name].Narrow(0, step, 1).Reshape(parameter.Spec.Shape);
                (parameter.Value * gradient).Sum().Backward();
            }

            double clip = GradientNorm.ClipFactor(GradientNorm.Of(parameters), config.ClipNorm);
            optimizer.Step(parameters, state, clip, rates[step]);
            parameters.ClearGradients();
            foreach (Parameter parameter in parameters)
            {
                Near.Equal(golden[$"{name}.{step}.{parameter.Name}"], parameter.Value, allowed, $"{parameter.Name} after update {step}", floor: 1);
            }
        }

        foreach ((string parameter, ParameterState own) in state)
        {
            Assert.Equal(rates.Length, own.Steps);
            foreach ((string slot, Slot remembered) in own.Slots)
            {
                Near.Equal(golden[$"{name}.{parameter}.{slot}"], remembered.Value, allowed, $"{slot} of {parameter}", floor: 1);
            }
        }
    }

    private static OptimizerConfig ConfigOf(Golden golden, JsonElement settings)
    {
        UpdateScale scale = settings.TryGetProperty("update_scale", out JsonElement value) && value.GetString() == "rms"
            ? UpdateScale.Rms
            : UpdateScale.Spectral;
        double momentum = golden.Metadata("momentum").GetDouble();
        OptimizerConfig config = settings.GetProperty("rule").GetString() switch
        {
            "muon" => new MuonConfig
            {
                Momentum = momentum,
                UpdateScale = scale,
                AdamwRate = settings.GetProperty("adamw_rate").GetDouble(),
                Beta1 = golden.Metadata("beta1").GetDouble(),
                Beta2 = golden.Metadata("beta2").GetDouble(),
                Epsilon = golden.Metadata("epsilon").GetDouble(),
            },
            "muon-nsgd" => new MuonNsgdConfig { Momentum = momentum, UpdateScale = scale },
            _ => new SgdConfig { Momentum = settings.GetProperty("momentum").GetDouble() },
        };
        return config with
        {
            WeightDecay = settings.GetProperty("weight_decay").GetDouble(),
            ClipNorm = settings.GetProperty("clip_norm").GetDouble(),
        };
    }
}
