using System.Text.Json;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Tests.Models;

/// <summary>GPT-2 against a plain PyTorch one in double precision (tests/tools/gpt2_oracle.py).</summary>
public class Gpt2GoldenTests
{
    private static readonly Gpt2 Architecture = new();

    [Fact]
    public void ForwardAndBackward()
    {
        using Golden golden = Golden.Open("gpt2-forward");
        AgreesWith(golden, "", ForwardPlan.Plain(3), golden.Metadata("bf16_loss"));
    }

    [Theory]
    [InlineData("interpolate6")]
    [InlineData("interpolate8")]
    [InlineData("stack6")]
    public void SharedLayersSumTheirGradients(string name)
    {
        using Golden golden = Golden.Open("gpt2-shared");
        var plan = new ForwardPlan([.. golden[name + ".layer_map"].ToArray<long>().Select(layer => (int)layer)]);
        AgreesWith(golden, name + ".", plan, golden.Metadata("bf16_loss").GetProperty(name));
    }

    [Fact]
    public void AnUntiedHeadOfEqualWeightsGivesTheSameLogitsAndItsShareOfTheGradient()
    {
        using Golden golden = Golden.Open("gpt2-forward");
        ModelConfig tied = golden.Model(), untied = tied with { TiedHead = false };
        using ParameterSet parameters = golden.Parameters(tied);
        using var separate = new ParameterSet(Architecture.Parameters(untied).Select(spec => new Parameter(
            spec,
            ParameterSet.Trainable(golden["param." + (spec.Name == "lm_head.weight" ? "transformer.wte.weight" : spec.Name)]))));
        Near.Identical(
            Architecture.Logits(tied, parameters, golden["input_ids"], ForwardPlan.Plain(3)),
            Architecture.Logits(untied, separate, golden["input_ids"], ForwardPlan.Plain(3)));

        Architecture.Loss(untied, separate, new ModelBatch(golden["input_ids"], golden["targets"]), ForwardPlan.Plain(3), training: true).Backward();
        Near.Equal(
            golden["grad.transformer.wte.weight"],
            separate["transformer.wte.weight"].Grad! + separate["lm_head.weight"].Grad!, 1e-5);
        Near.Equal(golden["grad.transformer.wpe.weight"], separate["transformer.wpe.weight"].Grad!, 1e-5);
    }

    private static void AgreesWith(Golden golden, string prefix, ForwardPlan plan, JsonElement lowerLoss)
    {
        ModelConfig model = golden.Model();
        using ParameterSet parameters = golden.Parameters(model);
        Tensor ids = golden["input_ids"], targets = golden["targets"];
        Near.Equal(golden[prefix + "logits"], Architecture.Logits(model, parameters, ids, plan), 5e-6, "logits");

        Tensor loss = Architecture.Loss(model, parameters, new ModelBatch(ids, targets), plan, training: true);
        double expected = golden[prefix + "loss"].Item();
        Assert.Equal(expected, loss.Item(), 5);
        loss.Backward();
        foreach (Parameter parameter in parameters)
        {
            Near.Equal(golden[$"{prefix}grad.{parameter.Name}"], parameter.Value.Grad!, 1e-5, parameter.Name);
            parameter.Value.ClearGrad();
        }

        // Under autocast: as far from the truth as PyTorch's own autocast, give or take another such error.
        Tensor lower;
        using (new Autocast(Device.Cpu))
        {
            lower = Architecture.Loss(model, parameters, new ModelBatch(ids, targets), plan, training: true);
        }

        Assert.NotEqual(loss.Item(), lower.Item());
        Assert.InRange(Math.Abs(lower.Item() - expected), 0, 0.02 + (3 * Math.Abs(lowerLoss.GetDouble() - expected)));
        lower.Backward();
        foreach (Parameter parameter in parameters)
        {
            Tensor gradient = parameter.Value.Grad!;
            Assert.Equal(ScalarType.Float32, gradient.Type);
            double[] exact = Near.Values(golden[$"{prefix}grad.{parameter.Name}"]), rounded = Near.Values(gradient);
            double error = Norm(exact.Zip(rounded, (a, b) => a - b)) / Norm(exact);
            Assert.True(error < 0.08, $"{parameter.Name}: the gradient under autocast is {error:P1} off");
        }

        static double Norm(IEnumerable<double> values) => Math.Sqrt(values.Sum(value => value * value));
    }
}
