using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Tests.Models;

/// <summary>BERT against a plain PyTorch one in double precision (tests/tools/bert_oracle.py).</summary>
public class BertGoldenTests
{
    private static readonly Bert Architecture = new();

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
        AgreesWith(golden, "shared", golden["input_ids"], new ForwardPlan(map));
    }

    [Fact]
    public void AnUntiedDecoderOfEqualWeightsGivesTheSameLogitsAndItsShareOfTheGradient()
    {
        using Golden golden = Golden.Open("bert-forward");
        const string Embedding = "bert.embeddings.word_embeddings.weight", Decoder = "cls.predictions.decoder.weight";
        BertConfig tied = Model(golden), untied = tied with { TiedHead = false };
        using ParameterSet parameters = golden.Parameters(tied);
        using var separate = new ParameterSet(Architecture.Parameters(untied).Select(spec => new Parameter(
            spec, ParameterSet.Trainable(golden["param." + (spec.Name == Decoder ? Embedding : spec.Name)]))));
        var plan = ForwardPlan.Plain(3);
        Near.Identical(
            Architecture.Logits(tied, parameters, golden["input_ids"], plan),
            Architecture.Logits(untied, separate, golden["input_ids"], plan));

        Architecture.Loss(untied, separate, Batch(golden, golden["input_ids"]), plan, training: true).Backward();
        Near.Equal(golden["plain.grad." + Embedding], separate[Embedding].Grad! + separate[Decoder].Grad!, 1e-5);
    }

    [Fact]
    public void DropoutActsInTrainingOnly()
    {
        using Golden golden = Golden.Open("bert-forward");
        BertConfig still = Model(golden);
        using ParameterSet parameters = golden.Parameters(still);
        double expected = Loss(still, training: true);
        foreach (BertConfig model in (BertConfig[])[still with { HiddenDropout = 0.3 }, still with { AttentionDropout = 0.3 }])
        {
            Assert.Equal(expected, Loss(model, training: false));
            Assert.NotEqual(expected, Loss(model, training: true));
        }

        double Loss(BertConfig model, bool training) => Architecture.Loss(
            model, parameters, Batch(golden, golden["input_ids"]), ForwardPlan.Plain(3), training).Item();
    }

    [Fact]
    public void FlopsAreThoseOfTheExecutedLayersAndThePredictedPositions()
    {
        // C = 8, F = 32, V = 11: a layer's 4 C^2 + 2 C F = 768 products a token, two operations each.
        var model = new BertConfig
        {
            Layers = 2, HiddenSize = 8, Heads = 2, ContextLength = 5, VocabularySize = 11,
        };
        const int B = 3, T = 4, N = 5;
        FlopsCount count = Architecture.ForwardFlops(model, new ForwardPlan([0, 0, 1]), B, T, N);
        Assert.Equal(new FlopsCount(3 * 2 * 768 * B * T, 3 * 2 * 2 * 8 * T * B * T, 2 * 8 * (8 + 11) * N), count);
    }

    private static void AgreesWith(Golden golden, string name, ModelInput input, ForwardPlan plan)
    {
        BertConfig model = Model(golden);
        using ParameterSet parameters = golden.Parameters(model);
        long[] lengths = input.Lengths?.ToArray<long>() ?? [11, 11, 11];
        Tensor logits = Architecture.Logits(model, parameters, input, plan), expected = golden[name + ".logits"];
        for (int sequence = 0; sequence < lengths.Length; sequence++)
        {
            Near.Equal(Seen(expected), Seen(logits), 5e-6, $"logits of sequence {sequence}");

            Tensor Seen(Tensor all) => all.Narrow(0, sequence, 1).Narrow(1, 0, lengths[sequence]);
        }

        Tensor loss = Architecture.Loss(model, parameters, Batch(golden, input), plan, training: true);
        Assert.Equal(golden[name + ".loss"].Item(), loss.Item(), 5);
        loss.Backward();
        foreach (Parameter parameter in parameters)
        {
            // In theory the bias of the keys has no gradient at all: what there is, is rounding.
            double floor = parameter.Name.EndsWith("key.bias", StringComparison.Ordinal) ? 1 : 1e-3;
            Near.Equal(golden[$"{name}.grad.{parameter.Name}"], parameter.Value.Grad!, 1e-5, parameter.Name, floor);
            parameter.Value.ClearGrad();
        }

        Tensor lower;
        using (new Autocast(Device.Cpu))
        {
            lower = Architecture.Loss(model, parameters, Batch(golden, input), plan, training: true);
        }

        Assert.NotEqual(loss.Item(), lower.Item());
        Assert.Equal(loss.Item(), lower.Item(), 0.05);
        lower.Backward();
        foreach (Parameter parameter in parameters.Where(p => !p.Name.EndsWith("key.bias", StringComparison.Ordinal)))
        {
            Assert.Equal(ScalarType.Float32, parameter.Value.Grad!.Type);
            double[] exact = Near.Values(golden[$"{name}.grad.{parameter.Name}"]);
            double error = Norm(exact.Zip(Near.Values(parameter.Value.Grad!), (a, b) => a - b)) / Norm(exact);
            Assert.True(error < 0.08, $"{parameter.Name}: the gradient under autocast is {error:P1} off");
        }

        static double Norm(IEnumerable<double> values) => Math.Sqrt(values.Sum(value => value * value));
    }

    private static ModelBatch Batch(Golden golden, ModelInput input) => new(input, golden["targets"], golden["positions"]);

    private static BertConfig Model(Golden golden) => (BertConfig)golden.Model();
}
