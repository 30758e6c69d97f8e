namespace Espalier.Reporting;

/// <summary>
/// One row of <c>metrics.csv</c>: the means over a logging interval, and what the run has cost so far. Null where the
/// row says nothing.
/// </summary>
public sealed record MetricsRow
{
    /// <summary>Updates done.</summary>
    public required long Step { get; init; }

    /// <summary>Tokens trained on, cumulative.</summary>
    public long Tokens { get; init; }

    /// <summary>Mean training loss of the interval, in nats per token.</summary>
    public double? TrainLoss { get; init; }

    /// <summary>Loss on the held-out text after this step, in nats per token.</summary>
    public double? ValidLoss { get; init; }

    /// <summary>Learning rate of the step.</summary>
    public double? LearningRate { get; init; }

    /// <summary>Mean gradient norm before clipping.</summary>
    public double? GradientNorm { get; init; }

    /// <summary>Mean executed depth, in layers.</summary>
    public double? ExecutedDepth { get; init; }

    /// <summary>Layers that the model stores.</summary>
    public int? StoredLayers { get; init; }

    /// <summary>FLOPs of the linear layers of all blocks, cumulative.</summary>
    public double FlopsLayers { get; init; }

    /// <summary>FLOPs of attention scores and mixing, cumulative.</summary>
    public double FlopsAttention { get; init; }

    /// <summary>FLOPs of the vocabulary head, cumulative.</summary>
    public double FlopsHead { get; init; }

    /// <summary>Wall seconds of training steps, cumulative; evaluation and checkpoints are left out.</summary>
    public double Seconds { get; init; }

    /// <summary>What the run has cost up to this row.</summary>
    public Cost Cost => new(FlopsLayers + FlopsAttention + FlopsHead, FlopsLayers + FlopsAttention, Seconds);
}
