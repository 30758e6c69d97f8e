using Espalier.Data;
using Espalier.Torch;

namespace Espalier.Models;

/// <summary>
/// A family of models: a function of a configuration, parameters and a forward plan, without state of its own. Here
/// <see cref="ModelConfig.Layers"/> is always the number of layers that the parameters store.
/// </summary>
public interface IArchitecture
{
    /// <summary>What such a model is pre-trained to do.</summary>
    /// <exception cref="UserErrorException">The tokenizer lacks a token that it takes.</exception>
    IObjective Objective(Tokenizer tokenizer);

    /// <summary>The parameters of a model, in a fixed order: embeddings, layers, final norm, head.</summary>
    IReadOnlyList<ParameterSpec> Parameters(ModelConfig config);

    /// <summary>What the last layer makes of the input: the vocabulary head and tasks build on it.</summary>
    /// <param name="config">The model.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="input">B sequences of T tokens.</param>
    /// <param name="plan">Which stored layers run.</param>
    /// <param name="training">Whether dropout is on.</param>
    /// <returns>(B, T, C).</returns>
    Tensor Hidden(ModelConfig config, ParameterSet parameters, ModelInput input, ForwardPlan plan, bool training);

    /// <summary>The vocabulary head: the scores of every entry.</summary>
    /// <param name="config">The model.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="hidden">(..., C), from <see cref="Hidden"/>.</param>
    /// <returns>(..., V).</returns>
    Tensor Logits(ModelConfig config, ParameterSet parameters, Tensor hidden);

    /// <summary>The mean loss of the vocabulary head, in nats a target.</summary>
    /// <param name="config">The model.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="hidden">(N, C), from <see cref="Hidden"/>.</param>
    /// <param name="targets">(N), int64; <see cref="Functional.IgnoredTarget"/> does not count.</param>
    /// <returns>A scalar.</returns>
    Tensor Loss(ModelConfig config, ParameterSet parameters, Tensor hidden, Tensor targets);

    /// <summary>The cost of one forward pass.</summary>
    /// <param name="config">The model.</param>
    /// <param name="plan">Which stored layers run.</param>
    /// <param name="batchSize">B.</param>
    /// <param name="length">T.</param>
    /// <param name="predictions">N: the positions that go through the vocabulary head.</param>
    FlopsCount ForwardFlops(ModelConfig config, ForwardPlan plan, int batchSize, int length, double predictions);
}
