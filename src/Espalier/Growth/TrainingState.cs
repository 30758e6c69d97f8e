using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Growth;

/// <summary>
/// Everything that a training run carries from step to step, and everything that a growth operator may change: model,
/// parameters, optimizer and position. Randomness is not part of it: it follows from the position.
/// </summary>
/// <param name="model">The model as it is stored now.</param>
/// <param name="parameters">Its parameters.</param>
/// <param name="optimizer">Their moments.</param>
/// <param name="position">Where the run stands.</param>
public sealed class TrainingState(
    ModelConfig model, ParameterSet parameters, AdamWState optimizer, TrainingPosition position) : IDisposable
{
    /// <summary>The model as it is stored now: <see cref="ModelConfig.Layers"/> counts stored layers.</summary>
    public ModelConfig Model { get; } = model;

    /// <summary>Its parameters.</summary>
    public ParameterSet Parameters { get; } = parameters;

    /// <summary>Their moments.</summary>
    public AdamWState Optimizer { get; } = optimizer;

    /// <summary>Where the run stands.</summary>
    public TrainingPosition Position { get; set; } = position;

    /// <summary>A run that has not begun.</summary>
    /// <param name="model">The model to begin with.</param>
    /// <param name="finalLayers">The layers that it ends with, for the scale of the residual projections.</param>
    /// <param name="seed">The run's seed.</param>
    /// <param name="device">Where the tensors lie.</param>
    public static TrainingState Begin(ModelConfig model, int finalLayers, ulong seed, Device device)
    {
        var parameters = ParameterSet.Initialize(
            Architectures.Of(model.ModelType).Parameters(model), model, finalLayers, seed, device);
        var moments = parameters.ToDictionary(parameter => parameter.Name, parameter => Moments.Empty(parameter.Value));
        return new TrainingState(model, parameters, new AdamWState(moments, 0), new TrainingPosition());
    }

    /// <summary>Frees the tensors.</summary>
    public void Dispose()
    {
        Parameters.Dispose();
        Optimizer.Dispose();
    }
}
