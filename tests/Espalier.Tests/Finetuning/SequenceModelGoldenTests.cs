using Espalier.Finetuning;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Tests.Finetuning;

/// <summary>
/// Classes and scores of padded batches against plain PyTorch in double precision (tests/tools/make_sequence_golden.py).
/// </summary>
public sealed class SequenceModelGoldenTests
{
    [Theory]
    [InlineData("bert", false)]
    [InlineData("bert", true)]
    [InlineData("gpt2", false)]
    [InlineData("gpt2", true)]
    [InlineData("llama", false)]
    [InlineData("llama", true)]
    [InlineData("qwen3", false)]
    [InlineData("qwen3", true)]
    public void ScoresLossAndGradients(string architecture, bool isRegression)
    {
        using Golden golden = Golden.Open("sequence-" + architecture);
        ModelConfig config = golden.Model();
        string prefix = isRegression ? "regression." : "classification.";
        int outputs = isRegression ? 1 : 3;
        using SequenceModel model = Load(golden, config, outputs);

        // The examples as fine-tuning pads them, in another order than the file's.
        EncodedExample[] examples = Examples(golden, isRegression);
        int[] batch = [2, 0, 3, 1];
        ModelInput input = new ExampleBatches(examples, batch.Length, padding: 3).Input(batch, Device.Cpu);
        Tensor scores = model.Scores(input, training: true), expected = golden[prefix + "scores"];
        for (int row = 0; row < batch.Length; row++)
        {
            Near.Equal(expected.Narrow(0, batch[row], 1), scores.Narrow(0, row, 1), 5e-6, $"sequence {batch[row]}");
        }

        Tensor loss = Finetuner.Loss(scores, [.. batch.Select(i => examples[i].Label)], isRegression);
        Near.Equal([golden[prefix + "loss"].Item()], [loss.Item()], 5e-6, "loss");
        loss.Backward();
        foreach (Parameter parameter in model.Parameters)
        {
            // In theory the bias of the keys has no gradient at all: what there is, is rounding.
            bool hasKeys = parameter.Name.EndsWith("key.bias", StringComparison.Ordinal)
                || parameter.Name.EndsWith("c_attn.bias", StringComparison.Ordinal);
            Near.Equal(
                golden[$"{prefix}grad.{parameter.Name}"], parameter.Value.Grad!, 2e-5, parameter.Name, hasKeys ? 1 : 1e-3);
        }
    }

    private static SequenceModel Load(Golden golden, ModelConfig config, int outputs)
    {
        var parameters = new ParameterSet(SequenceModel.Specs(config, outputs).Select(spec => new Parameter(
            spec, ParameterSet.Trainable(golden["param." + spec.Name].Narrow(0, 0, spec.Shape[0]).Clone()))));
        return new SequenceModel(Model.Of(config, parameters), ForwardPlan.Plain(config.Layers), outputs, Compute.Cpu);
    }

    private static EncodedExample[] Examples(Golden golden, bool isRegression)
    {
        int[][] ids = Rows("input_ids"), types = Rows("token_type_ids");
        double[] labels = Near.Values(golden[isRegression ? "scores" : "classes"]);
        return [.. ids.Select((row, i) => new EncodedExample(row, types[i], labels[i]))];

        int[][] Rows(string name)
        {
            long[] lengths = golden["lengths"].ToArray<long>();
            return
            [
                .. golden[name].ToArray<long>().Chunk((int)golden[name].Shape[1])
                    .Select((row, i) => row[..(int)lengths[i]].Select(value => (int)value).ToArray()),
            ];
        }
    }
}
