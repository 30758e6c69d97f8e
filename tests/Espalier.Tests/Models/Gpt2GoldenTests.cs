using System.Text.Json;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Tests.Models;

/// <summary>GPT-2 against a plain PyTorch one in double precision (tests/tools/gpt2_oracle.py).</summary>
public class Gpt2GoldenTests
{
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
        ForwardPlan plan = ForwardPlan.Of(golden[name + ".layer_map"].ToArray<long>().Select(layer => (int)layer));
        AgreesWith(golden, name + ".", plan, golden.Metadata("bf16_loss").GetProperty(name));
    }

    [Fact]
    public void AnUntiedHeadOfEqualWeightsGivesTheSameLogitsAndItsShareOfTheGradient()
    {
        using Golden golden = Golden.Open("gpt2-forward");
        const string Embedding = "transformer.wte.weight", Head = "lm_head.weight", Positions = "transformer.wpe.weight";
        ModelConfig config = golden.Model(), separate = config with { TiedHead = false };
        using Model tied = Model.Of(config, golden.Parameters(config));
        using Model untied = Model.Of(separate, new ParameterSet(new Gpt2().Parameters(separate).Select(spec => new Parameter(
            spec, ParameterSet.Trainable(golden["param." + (spec.Name == Head ? Embedding : spec.Name)])))));
        var plan = ForwardPlan.Plain(3);
        Near.Identical(
            ForwardPass.Logits(tied, golden["input_ids"], plan), ForwardPass.Logits(untied, golden["input_ids"], plan));

        MeanLoss.Of(untied, new ModelBatch(golden["input_ids"], golden["targets"]), plan).Backward();
        Near.Equal(
            golden["grad." + Embedding], untied.Parameters[Embedding].Grad! + untied.Parameters[Head].Grad!, 1e-5);
        Near.Equal(golden["grad." + Positions], untied.Parameters[Positions].Grad!, 1e-5);
    }

    private static void AgreesWith(Golden golden, string prefix, ForwardPlan plan, JsonElement lowerLoss)
    {
        ModelConfig config = golden.Model();
        using Model model = Model.Of(config, golden.Parameters(config));
        var batch = new ModelBatch(golden["input_ids"], golden["targets"]);
        Near.Equal(golden[prefix + "logits"], ForwardPass.Logits(model, batch.Input, plan), 5e-6, "logits");

        Tensor loss = MeanLoss.Of(model, batch, plan);
        double expected = golden[prefix + "loss"].Item();
        Assert.Equal(expected, loss.Item(), 5);
        loss.Backward();
        foreach (Parameter parameter in model.Parameters)
        {
            Near.Equal(golden[$"{prefix}grad.{parameter.Name}"], parameter.Value.Grad!, 1e-5, parameter.Name);
            parameter.Value.ClearGrad();
        }

        // Under autocast: as far from the truth as PyTorch's own autocast, give or take another such error.
        Tensor lower;
        using (new Autocast(Device.Cpu))
        {
            lower = MeanLoss.Of(model, batch, plan);
        }

        Assert.NotEqual(loss.Item(), lower.Item());
        Assert.InRange(Math.Abs(lower.Item() - expected), 0, 0.02 + (3 * Math.Abs(lowerLoss.GetDouble() - expected)));
        lower.Backward();
        foreach (Parameter parameter in model.Parameters)
        {
            Tensor gradient = parameter.Value.Grad!;
            Assert.Equal(ScalarType.Float32, gradient.Type);
            double error = Near.RelativeError(golden[$"{prefix}grad.{parameter.Name}"], gradient);
            Assert.True(error < 0.08, $"{parameter.Name}: the gradient under autocast is {error:P1} off");
        }
    }
}
