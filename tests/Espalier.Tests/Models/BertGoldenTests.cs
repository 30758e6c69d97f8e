using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Tests.Models;

/// <summary>BERT against a plain PyTorch one in double precision (tests/tools/bert_oracle.py).</summary>
public class BertGoldenTests
{
    [Fact]
    public void ForwardAndBackward()
    {
        using Golden golden = Golden.Open("bert-forward");
        AgreesWith(golden, "plain", golden["input_ids"], ForwardPlan.Plain(3));
    }

    [Fact]
    public void SegmentsAndPadding()
    {
        using Golden golden = Golden.Open("bert-forward");
        var input = new ModelInput(golden["input_ids"], golden["token_type_ids"], golden["lengths"]);
        AgreesWith(golden, "padded", input, ForwardPlan.Plain(3));
    }

    [Fact]
    public void SharedLayersSumTheirGradients()
    {
        using Golden golden = Golden.Open("bert-forward");
        int[] map = [.. golden.Metadata("shared_map").EnumerateArray().Select(layer => layer.GetInt32())];
        AgreesWith(golden, "shared", golden["input_ids"], ForwardPlan.Of(map));
    }

    [Fact]
    public void AnUntiedDecoderOfEqualWeightsGivesTheSameLogitsAndItsShareOfTheGradient()
    {
        using Golden golden = Golden.Open("bert-forward");
        const string Embedding = "bert.embeddings.word_embeddings.weight", Decoder = "cls.predictions.decoder.weight";
        ModelConfig config = golden.Model(), separate = config with { TiedHead = false };
        using Model tied = Model.Of(config, golden.Parameters(config));
        using Model untied = Model.Of(separate, new ParameterSet(new Bert().Parameters(separate).Select(spec => new Parameter(
            spec, ParameterSet.Trainable(golden["param." + (spec.Name == Decoder ? Embedding : spec.Name)])))));
        var plan = ForwardPlan.Plain(3);
        Near.Identical(
            ForwardPass.Logits(tied, golden["input_ids"], plan), ForwardPass.Logits(untied, golden["input_ids"], plan));

        MeanLoss.Of(untied, Batch(golden, golden["input_ids"]), plan).Backward();
        Near.Equal(
            golden["plain.grad." + Embedding], untied.Parameters[Embedding].Grad! + untied.Parameters[Decoder].Grad!, 1e-5);
    }

    [Fact]
    public void DropoutActsInTrainingOnly()
    {
        using Golden golden = Golden.Open("bert-forward");
        var still = (BertConfig)golden.Model();
        using ParameterSet parameters = golden.Parameters(still);
        double expected = Loss(still, training: true);
        foreach (BertConfig model in (BertConfig[])[still with { HiddenDropout = 0.3 }, still with { AttentionDropout = 0.3 }])
        {
            Assert.Equal(expected, Loss(model, training: false));
            Assert.NotEqual(expected, Loss(model, training: true));
        }

        double Loss(BertConfig config, bool training) => ForwardPass.LossSum(
            Model.Of(config, parameters), Batch(golden, golden["input_ids"]), ForwardPlan.Plain(3), training).Item();
    }

    private static void AgreesWith(Golden golden, string name, ModelInput input, ForwardPlan plan)
    {
        ModelConfig config = golden.Model();
        using Model model = Model.Of(config, golden.Parameters(config));
        long[] lengths = input.Lengths?.ToArray<long>() ?? [11, 11, 11];
        Tensor logits = ForwardPass.Logits(model, input, plan), expected = golden[name + ".logits"];
        for (int sequence = 0; sequence < lengths.Length; sequence++)
        {
            Near.Equal(Seen(expected), Seen(logits), 5e-6, $"logits of sequence {sequence}");

            Tensor Seen(Tensor all) => all.Narrow(0, sequence, 1).Narrow(1, 0, lengths[sequence]);
        }

        Tensor loss = MeanLoss.Of(model, Batch(golden, input), plan);
        Assert.Equal(golden[name + ".loss"].Item(), loss.Item(), 5);
        loss.Backward();
        foreach (Parameter parameter in model.Parameters)
        {
            // In theory the bias of the keys has no gradient at all: what there is, is rounding.
            double floor = parameter.Name.EndsWith("key.bias", StringComparison.Ordinal) ? 1 : 1e-3;
            Near.Equal(golden[$"{name}.grad.{parameter.Name}"], parameter.Value.Grad!, 1e-5, parameter.Name, floor);
            parameter.Value.ClearGrad();
        }

        Tensor lower;
        using (new Autocast(Device.Cpu))
        {
            lower = MeanLoss.Of(model, Batch(golden, input), plan);
        }

        Assert.NotEqual(loss.Item(), lower.Item());
        Assert.Equal(loss.Item(), lower.Item(), 0.05);
        lower.Backward();
        foreach (Parameter parameter in model.Parameters.Where(p => !p.Name.EndsWith("key.bias", StringComparison.Ordinal)))
        {
            Assert.Equal(ScalarType.Float32, parameter.Value.Grad!.Type);
            double error = Near.RelativeError(golden[$"{name}.grad.{parameter.Name}"], parameter.Value.Grad!);
            Assert.True(error < 0.08, $"{parameter.Name}: the gradient under autocast is {error:P1} off");
        }
    }

    private static ModelBatch Batch(Golden golden, ModelInput input) => new(input, golden["targets"], golden["positions"]);
}
