using Espalier.Torch;

namespace Espalier.Models;

/// <summary>
/// A family of models: a function of a configuration, parameters and a forward plan, without state of its own. Here
/// <see cref="ModelConfig.Layers"/> is always the number of layers that the parameters store.
/// </summary>
public interface IArchitecture
{
    /// <summary>The parameters of a model, in a fixed order: embeddings, layers, final norm, head.</summary>
    IReadOnlyList<ParameterSpec> Parameters(ModelConfig config);

    /// <summary>The scores of every vocabulary entry at every position.</summary>
    /// <param name="config">The model.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="inputIds">(B, T), int64; T at most the context length.</param>
    /// <param name="plan">Which stored layers run.</param>
    /// <returns>(B, T, V).</returns>
    Tensor Logits(ModelConfig config, ParameterSet parameters, Tensor inputIds, ForwardPlan plan);

    /// <summary>The mean loss, in nats a target.</summary>
    /// <param name="config">The model.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="inputIds">(B, T), int64.</param>
    /// <param name="targets">(B, T), int64; <see cref="Functional.IgnoredTarget"/> does not count.</param>
    /// <param name="plan">Which stored layers run.</param>
    /// <param name="training">Whether dropout is on.</param>
    /// <returns>A scalar.</returns>
    Tensor Loss(
        ModelConfig config, ParameterSet parameters, Tensor inputIds, Tensor targets, ForwardPlan plan, bool training);

    /// <summary>The cost of one forward pass.</summary>
    /// <param name="config">The model.</param>
    /// <param name="plan">Which stored layers run.</param>
    /// <param name="batchSize">B.</param>
    /// <param name="length">T.</param>
    FlopsCount ForwardFlops(ModelConfig config, ForwardPlan plan, int batchSize, int length);
}
