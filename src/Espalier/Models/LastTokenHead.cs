using Espalier.Torch;

using static Espalier.Torch.Functional;

namespace Espalier.Models;

/// <summary>
/// Hugging Face's sequence classification of decoders, such as <c>GPT2ForSequenceClassification</c>: the last token, which has
/// seen all others, goes through a linear layer without a bias.
/// </summary>
/// <param name="className">Hugging Face's class.</param>
/// <param name="backbonePrefix">How the names of the parameters below the head begin.</param>
public sealed class LastTokenHead(string className, string backbonePrefix) : ISequenceHead
{
    private const string Score = "score.weight";

    /// <inheritdoc/>
    public string ClassName => className;

    /// <inheritdoc/>
    public string BackbonePrefix => backbonePrefix;

    /// <inheritdoc/>
    public IReadOnlyList<ParameterSpec> Parameters(ModelConfig config, int outputs) =>
    [
        new(
            Score, null, Score,
            [new Axis(AxisKind.Class, AxisSide.Output, outputs), new Axis(AxisKind.Hidden, AxisSide.Input, config.HiddenSize)],
            Initialization.Normal),
    ];

    /// <inheritdoc/>
    public Tensor Scores(ModelConfig config, ParameterSet parameters, ModelInput input, Tensor hidden, bool training)
    {
        // Counted through all B x T positions, sequence b begins at b T.
        long[] shape = hidden.Shape;
        long length = shape[1];
        long[] beforeSequence = [.. Enumerable.Range(0, (int)shape[0]).Select(b => (b * length) - 1)];
        Tensor lengths = input.Lengths ?? Tensor.Full([shape[0]], length, ScalarType.Int64, hidden.Device);
        Tensor last_B = Tensor.From<long>(beforeSequence, [shape[0]], hidden.Device) + lengths;
        Tensor last_BC = hidden.Reshape(-1, config.HiddenSize).IndexSelect(0, last_B);
        return Linear(last_BC, parameters[Score], Tensor.None, transposed: true);
    }
}
