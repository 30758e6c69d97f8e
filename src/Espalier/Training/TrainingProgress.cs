namespace Espalier.Training;

/// <summary>What a run is doing.</summary>
public enum TrainingActivity
{
    /// <summary>Training steps.</summary>
    Training,

    /// <summary>Measuring the held-out loss.</summary>
    Evaluating,

    /// <summary>Writing a checkpoint.</summary>
    Saving,

    /// <summary>Nothing any more: the checkpoint is written.</summary>
    Saved,
}

/// <summary>How far a run is, for a progress line.</summary>
/// <param name="Activity">What it is doing.</param>
/// <param name="Step">Updates done.</param>
/// <param name="TotalSteps">Updates of the whole run.</param>
/// <param name="Loss">The training loss, smoothed over some twenty steps; null before the first.</param>
/// <param name="ValidLoss">The last held-out loss, or null.</param>
/// <param name="TokensPerSecond">Of the last steps.</param>
/// <param name="Remaining">The time left by the FLOPs left, at the speed so far; null before the first step.</param>
/// <param name="StoredLayers">The layers that the model stores.</param>
/// <param name="Row">The row of metrics that was just written, or null.</param>
public sealed record TrainingProgress(
    TrainingActivity Activity,
    long Step,
    long TotalSteps,
    double? Loss,
    double? ValidLoss,
    double TokensPerSecond,
    TimeSpan? Remaining,
    int StoredLayers,
    MetricsRow? Row);
