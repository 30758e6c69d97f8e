using Espalier.Torch;

namespace Espalier.Models;

/// <summary>The whole way from tokens to scores and loss, the same for every architecture.</summary>
public static class ArchitectureExtensions
{
    /// <summary>The scores of every vocabulary entry at every position, without dropout.</summary>
    /// <param name="architecture">The architecture.</param>
    /// <param name="config">The model.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="input">B sequences of T tokens.</param>
    /// <param name="plan">Which stored layers run.</param>
    /// <returns>(B, T, V).</returns>
    public static Tensor Logits(
        this IArchitecture architecture, ModelConfig config, ParameterSet parameters, ModelInput input, ForwardPlan plan) =>
        architecture.Logits(config, parameters, architecture.Hidden(config, parameters, input, plan, training: false));

    /// <summary>The mean loss, in nats a target.</summary>
    /// <param name="architecture">The architecture.</param>
    /// <param name="config">The model.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="batch">What to read and to predict.</param>
    /// <param name="plan">Which stored layers run.</param>
    /// <param name="training">Whether dropout is on.</param>
    /// <returns>A scalar.</returns>
    public static Tensor Loss(
        this IArchitecture architecture, ModelConfig config, ParameterSet parameters, ModelBatch batch, ForwardPlan plan,
        bool training)
    {
        Tensor hidden_NC = architecture.HiddenAtTargets(config, parameters, batch, plan, training);
        return architecture.Loss(config, parameters, hidden_NC, batch.Targets.Reshape(-1));
    }

    /// <summary>What the last layer makes of the input where something is to be predicted.</summary>
    /// <inheritdoc cref="Loss(IArchitecture, ModelConfig, ParameterSet, ModelBatch, ForwardPlan, bool)"/>
    /// <returns>(N, C).</returns>
    internal static Tensor HiddenAtTargets(
        this IArchitecture architecture, ModelConfig config, ParameterSet parameters, ModelBatch batch, ForwardPlan plan,
        bool training)
    {
        Tensor hidden_NC = architecture.Hidden(config, parameters, batch.Input, plan, training)
            .Reshape(-1, config.HiddenSize);
        return batch.Positions is null ? hidden_NC : hidden_NC.IndexSelect(0, batch.Positions);
    }
}
