using System.ComponentModel.DataAnnotations;
using Espalier.Configuration;

namespace Espalier.Training;

/// <summary>When a run saves its state, and how many states it keeps.</summary>
public sealed record CheckpointConfig
{
    /// <summary>`every`: training between two checkpoints; the end of the run is always saved. Default 10 %.</summary>
    public Duration Every { get; init; } = Duration.Percent(10);

    /// <summary>`keep`: newest checkpoints that stay on disk. Default 2.</summary>
    [Range(1, int.MaxValue)]
    public int Keep { get; init; } = 2;

    /// <summary>`at`: points of the run, `3000 steps`, that are saved too, and stay on disk whatever comes later. Default none.</summary>
    public Duration[] At { get; init; } = [];

    /// <summary>
    /// `background`: whether a copy of the state is written while the run trains on, for memory of the size of a checkpoint, never a GPU's;
    /// else the run waits until it is written. Default false.
    /// </summary>
    public bool Background { get; init; }
}
