using Espalier.Configuration;

namespace Espalier.Training;

/// <summary>How often a run writes a row of metrics.</summary>
public sealed record LoggingConfig
{
    /// <summary>`every`: training that one row of metrics sums up. Default 10 steps.</summary>
    public Duration Every { get; init; } = Duration.Steps(10);
}
