using Espalier.Models;

namespace Espalier.Training;

/// <summary>
/// What a logging interval came to, and what the run has cost so far: a row of <c>metrics.csv</c>, and the scalars of
/// TensorBoard. Null where a row that was read says nothing.
/// </summary>
public sealed record MetricsRow
{
    /// <summary>Updates done.</summary>
    public required long Step { get; init; }

    /// <summary>Tokens trained on, cumulative.</summary>
    public long Tokens { get; init; }

    /// <summary>The mean training loss of the interval, nats a token.</summary>
    public double? TrainLoss { get; init; }

    /// <summary>The held-out loss at full depth after this step, where it was measured, nats a token.</summary>
    public double? ValidLoss { get; init; }

    /// <summary>The learning rate of the last update.</summary>
    public double? LearningRate { get; init; }

    /// <summary>The mean gradient norm of the interval, before clipping.</summary>
    public double? GradientNorm { get; init; }

    /// <summary>The mean number of executed layers of the interval.</summary>
    public double? ExecutedDepth { get; init; }

    /// <summary>The layers that the model stores.</summary>
    public int? StoredLayers { get; init; }

    /// <summary>Tokens a second of the interval's training steps.</summary>
    public double? TokensPerSecond { get; init; }

    /// <summary>Floating-point operations a second of the interval's training steps.</summary>
    public double? FlopsPerSecond { get; init; }

    /// <summary>Floating-point operations, cumulative.</summary>
    public FlopsCount Flops { get; init; }

    /// <summary>Wall seconds of training steps, cumulative; evaluation and checkpoints are left out.</summary>
    public double Seconds { get; init; }

    /// <summary>The row as JSON on one line, by the names of the columns of <c>metrics.csv</c>, without what it does not say.</summary>
    public string ToJson() => MetricsCsv.Json(this).ToJsonString();

    /// <summary>The row as TensorBoard shows it.</summary>
    public IReadOnlyList<(string Tag, double Value)> ToScalars()
    {
        (string Tag, double? Value)[] scalars =
        [
            ("train/loss", TrainLoss),
            ("train/perplexity", Perplexity(TrainLoss)),
            ("train/learning_rate", LearningRate),
            ("train/gradient_norm", GradientNorm),
            ("growth/executed_depth", ExecutedDepth),
            ("growth/stored_layers", StoredLayers),
            ("speed/tokens_per_second", TokensPerSecond),
            ("speed/flops_per_second", FlopsPerSecond),
            ("cost/flops", Flops.Total),
            ("cost/flops_without_head", Flops.Layers + Flops.Attention),
            ("cost/seconds", Seconds),
            ("valid/loss", ValidLoss),
            ("valid/perplexity", Perplexity(ValidLoss)),
        ];
        return [.. scalars.Where(scalar => scalar.Value is not null).Select(scalar => (scalar.Tag, scalar.Value!.Value))];
    }

    private static double? Perplexity(double? loss) => loss is double nats ? Math.Exp(nats) : null;
}
