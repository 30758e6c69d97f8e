using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>What a method knows of the run that it is for.</summary>
/// <param name="FinalModel">The model to end with.</param>
/// <param name="TotalSteps">The updates of the whole run.</param>
/// <param name="TokensPerStep">The tokens of one update.</param>
/// <param name="Seed">The run's seed.</param>
public sealed record RunShape(ModelConfig FinalModel, long TotalSteps, long TokensPerStep, ulong Seed)
{
    /// <summary>The updates of the learning rate's warm-up.</summary>
    public long WarmupSteps { get; init; }

    /// <summary>A duration in updates of this run.</summary>
    public long Steps(Duration duration) => duration.ToSteps(TotalSteps, TokensPerStep);
}
