using Espalier.Data;
using Espalier.Torch;

namespace Espalier.Models;

/// <summary>
/// A family of models: the parts that <see cref="ForwardPass"/> runs one after the other, as functions without state of
/// their own. It knows no plan: which layers run, and how, is said by the part that each function is given.
/// </summary>
public interface IArchitecture
{
    /// <summary>
    /// Whether norms stand before the sublayers, and none after: a layer whose sublayers give 0 then leaves the stream as it was.
    /// </summary>
    bool NormsComeFirst { get; }

    /// <summary>Whether norms take a mean from what they read, as layer norm does and root-mean-square norm does not.</summary>
    bool NormsTakeMean => true;

    /// <summary>
    /// Whether feed-forward units are products of two: where both are 0, no gradient reaches what they are made from.
    /// </summary>
    bool UnitsAreGated => false;

    /// <summary>
    /// Whether a token sees itself and those before it alone, and attention goes on from <see cref="ModelPart.Past"/>: then
    /// generating a token reads nothing again.
    /// </summary>
    bool SeesOnlyThePast => false;

    /// <summary>What gives whole sequences scores, in place of the vocabulary head; null where such a model is not fine-tuned.</summary>
    ISequenceHead? SequenceHead => null;

    /// <summary>What such a model is pre-trained to do.</summary>
    /// <exception cref="UserErrorException">The tokenizer lacks a token that it takes.</exception>
    IObjective Objective(Tokenizer tokenizer);

    /// <summary>The parameters of a model, in a fixed order: embeddings, layers, final norm, head.</summary>
    IReadOnlyList<ParameterSpec> Parameters(ModelConfig config);

    /// <summary>What the first layer reads.</summary>
    /// <param name="rest">What lies outside of the layers.</param>
    /// <param name="input">B sequences of T tokens.</param>
    /// <returns>(B, T, C).</returns>
    Tensor Embed(ModelPart rest, ModelInput input);

    /// <summary>One layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="x_BTC">What the one before it made of the input.</param>
    /// <param name="lengths_B">The tokens of each sequence before the padding at its end; null for no padding.</param>
    /// <returns>(B, T, C).</returns>
    Tensor Layer(ModelPart layer, Tensor x_BTC, Tensor? lengths_B);

    /// <summary>What follows the last layer, before any head.</summary>
    /// <param name="rest">What lies outside of the layers.</param>
    /// <param name="x_BTC">What the last layer made of the input.</param>
    /// <returns>(B, T, C).</returns>
    Tensor Finish(ModelPart rest, Tensor x_BTC);

    /// <summary>The vocabulary head: the scores of every entry.</summary>
    /// <param name="rest">What lies outside of the layers.</param>
    /// <param name="hidden">(..., C), from <see cref="Finish"/>.</param>
    /// <returns>(..., V).</returns>
    Tensor Logits(ModelPart rest, Tensor hidden);

    /// <summary>The losses of the vocabulary head in nats, summed over the targets.</summary>
    /// <param name="rest">What lies outside of the layers.</param>
    /// <param name="hidden_NC">(N, C), from <see cref="Finish"/>.</param>
    /// <param name="targets_N">(N), int64; <see cref="Functional.IgnoredTarget"/> does not count.</param>
    /// <returns>A scalar.</returns>
    Tensor LossSum(ModelPart rest, Tensor hidden_NC, Tensor targets_N);

    /// <summary>The cost of one layer's forward pass.</summary>
    /// <param name="config">The model.</param>
    /// <param name="sequences">B.</param>
    /// <param name="length">T: the tokens that the layer sees of each.</param>
    FlopsCount LayerCost(ModelConfig config, int sequences, int length);

    /// <summary>The cost of the vocabulary head's forward pass.</summary>
    /// <param name="config">The model.</param>
    /// <param name="predictions">N: the positions that go through it.</param>
    FlopsCount HeadCost(ModelConfig config, double predictions);
}
