using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Growth;

/// <summary>
/// Everything that a training run carries from step to step, and everything that a growth operator may change: model,
/// optimizer state and position. Randomness is not part of it: it follows from the position.
/// </summary>
/// <param name="model">The model as it is stored now.</param>
/// <param name="optimizer">What the optimizer remembers of its parameters.</param>
/// <param name="position">Where the run stands.</param>
public sealed class TrainingState(Model model, OptimizerState optimizer, TrainingPosition position) : IDisposable
{
    /// <summary>The model as it is stored now: <see cref="ModelConfig.Layers"/> counts stored layers.</summary>
    public Model Model { get; } = model;

    /// <summary>What the optimizer remembers of its parameters.</summary>
    public OptimizerState Optimizer { get; } = optimizer;

    /// <summary>Where the run stands.</summary>
    public TrainingPosition Position { get; set; } = position;

    /// <summary>A run that has not begun.</summary>
    /// <param name="config">The model to begin with.</param>
    /// <param name="finalLayers">The layers that it ends with, for the scale of the residual projections.</param>
    /// <param name="optimizer">The update rule.</param>
    /// <param name="seed">The run's seed.</param>
    /// <param name="device">Where the tensors lie.</param>
    /// <param name="lossInterval">Updates in a point of the loss curve.</param>
    /// <param name="mup">How initial weights go with the model's sizes; null for not at all.</param>
    public static TrainingState Begin(
        ModelConfig config, int finalLayers, IOptimizer optimizer, ulong seed, Device device, long lossInterval = 1, Mup? mup = null)
    {
        IArchitecture architecture = config.Architecture;
        var parameters = ParameterSet.Initialize(architecture.Parameters(config), config, finalLayers, seed, device, mup);
        return new TrainingState(
            new Model(architecture, config, parameters), OptimizerState.Begin(optimizer, parameters),
            new TrainingPosition { Losses = new LossCurve(lossInterval) });
    }

    /// <summary>A copy with its own memory: for growth that tries something out, or to be written while the run trains on.</summary>
    /// <param name="device">Where the copy lies; null for where this lies.</param>
    public TrainingState Copy(Device? device = null)
    {
        using IDisposable _ = TensorScope.Suspend();
        var parameters = new ParameterSet(Model.Parameters.Select(
            parameter => parameter with { Value = ParameterSet.Trainable(parameter.Value.Clone(device)) }));
        return new TrainingState(Model with { Parameters = parameters }, Optimizer.Copy(device), Position);
    }

    /// <summary>Frees the tensors.</summary>
    public void Dispose()
    {
        Model.Dispose();
        Optimizer.Dispose();
    }
}
