using System.ComponentModel.DataAnnotations;
using Espalier.Configuration;

namespace Espalier.Evaluation;

/// <summary>When a run measures its held-out loss, and on how much text.</summary>
public sealed record EvaluationConfig
{
    /// <summary>`every`: training between two evaluations; the end of the run is always evaluated. Default 5 %.</summary>
    public Duration Every { get; init; } = Duration.Percent(5);

    /// <summary>`tokens`: held-out tokens to evaluate on, the same each time. Default (null): all of them.</summary>
    [Range(1.0, 1e15)]
    public long? Tokens { get; init; }
}
