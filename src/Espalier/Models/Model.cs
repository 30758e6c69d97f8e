namespace Espalier.Models;

/// <summary>A model: what kind, how large, and its weights.</summary>
/// <param name="Architecture">The kind.</param>
/// <param name="Config">The sizes; <see cref="ModelConfig.Layers"/> is the number of layers that are stored.</param>
/// <param name="Parameters">The weights, which belong to it.</param>
public sealed record Model(IArchitecture Architecture, ModelConfig Config, ParameterSet Parameters) : IDisposable
{
    /// <summary>A model of a configuration's own architecture.</summary>
    public static Model Of(ModelConfig config, ParameterSet parameters) =>
        new(config.Architecture, config, parameters);

    /// <summary>Frees the weights.</summary>
    public void Dispose() => Parameters.Dispose();
}
