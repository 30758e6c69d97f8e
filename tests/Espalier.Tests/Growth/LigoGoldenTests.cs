using System.Text.Json;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Tests.Growth;

/// <summary>The map and its learning, against the paper's formula in plain PyTorch (tests/tools/make_ligo_golden.py).</summary>
public class LigoGoldenTests
{
    [Theory]
    [InlineData("gpt2")]
    [InlineData("bert")]
    public void GradientsLossesAndWeights(string architecture)
    {
        using Golden golden = Golden.Open("ligo-" + architecture);
        ModelConfig config = golden.Model();
        using Model model = Model.Of(config, golden.Parameters(config));
        using LigoMap map = new Ligo { LayerCount = 3, HiddenSize = 9, FfnSize = 36, Noise = 0 }.Start(model);
        foreach ((string name, LearnedMatrix matrix) in map.Matrices)
        {
            matrix.Value.Detach().CopyFrom(golden["start." + name]);
        }

        using var scope = new TensorScope();
        var undetermined = golden.Metadata("undetermined").Deserialize<string[]>()!.ToHashSet();
        ForwardPass.LossSum(Model.Of(Grown(config), map.Weights()), Batch(golden, 0), map.Plan).Backward();
        foreach ((string name, LearnedMatrix matrix) in map.Matrices)
        {
            Near.Equal(golden["grad." + name], matrix.Value.Grad!, 2e-5, name, floor: undetermined.Contains(name) ? 1 : 0.1);
            matrix.Value.ClearGrad();
        }

        JsonElement settings = golden.Metadata("settings");
        double rate = settings.GetProperty("learning_rate").GetDouble();
        double[] losses =
        [
            .. Enumerable.Range(0, settings.GetProperty("steps").GetInt32())
                .Select(step => map.Learn(Batch(golden, step), Compute.Cpu, rate)),
        ];
        Near.Equal(Near.Values(golden["loss"]), losses, 1e-5, "loss");
        foreach ((string name, LearnedMatrix matrix) in map.Matrices.Where(pair => !undetermined.Contains(pair.Key)))
        {
            Near.Equal(golden["end." + name], matrix.Value, 1e-4, name);
        }

        using ParameterSet grown = map.MultipliedOut();
        foreach (Parameter parameter in grown.Where(parameter => !undetermined.Contains($"layers {parameter.Spec.Role}")))
        {
            Near.Equal(golden["grown." + parameter.Name], parameter.Value, 2e-4, parameter.Name, floor: 0.1);
        }
    }

    private static ModelConfig Grown(ModelConfig model) => model with
    {
        Layers = 3,
        HiddenSize = 9,
        Heads = 3,
        FfnSize = model.FfnSize is null ? null : 36,
    };

    private static ModelBatch Batch(Golden golden, int step)
    {
        Tensor ids = golden["input_ids"].Narrow(0, step, 1), targets = golden["targets"].Narrow(0, step, 1);
        return new ModelBatch(ids.Reshape(ids.Shape[1], -1), targets.Reshape(-1));
    }
}
