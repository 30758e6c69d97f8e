using System.Globalization;
using Espalier.Models;

namespace Espalier.Training;

/// <summary>What a logging interval came to: a row of <c>metrics.csv</c>, and the scalars of TensorBoard.</summary>
public sealed record MetricsRow
{
    /// <summary>The columns of <c>metrics.csv</c>.</summary>
    public const string Header =
        "step,tokens,train_loss,valid_loss,learning_rate,gradient_norm,executed_depth,stored_layers," +
        "tokens_per_second,flops_per_second,flops_layers,flops_attention,flops_head,seconds";

    /// <summary>Updates done.</summary>
    public required long Step { get; init; }

    /// <summary>Tokens trained on.</summary>
    public required long Tokens { get; init; }

    /// <summary>The mean training loss of the interval, nats a token.</summary>
    public required double TrainLoss { get; init; }

    /// <summary>The held-out loss at full depth, where it was measured, nats a token.</summary>
    public double? ValidLoss { get; init; }

    /// <summary>The learning rate of the last update.</summary>
    public required double LearningRate { get; init; }

    /// <summary>The mean gradient norm of the interval, before clipping.</summary>
    public required double GradientNorm { get; init; }

    /// <summary>The mean number of executed layers of the interval.</summary>
    public required double ExecutedDepth { get; init; }

    /// <summary>The layers that the model stores.</summary>
    public required int StoredLayers { get; init; }

    /// <summary>Tokens a second of the interval's training steps.</summary>
    public required double TokensPerSecond { get; init; }

    /// <summary>Floating-point operations a second of the interval's training steps.</summary>
    public required double FlopsPerSecond { get; init; }

    /// <summary>What the run has cost so far.</summary>
    public required FlopsCount Flops { get; init; }

    /// <summary>Seconds spent in training steps so far.</summary>
    public required double Seconds { get; init; }

    /// <summary>The row as <c>metrics.csv</c> holds it.</summary>
    public string ToCsv() => string.Join(',',
        Step.ToString(CultureInfo.InvariantCulture),
        Tokens.ToString(CultureInfo.InvariantCulture),
        Text(TrainLoss),
        ValidLoss is double loss ? Text(loss) : "",
        Text(LearningRate),
        Text(GradientNorm),
        Text(ExecutedDepth),
        StoredLayers.ToString(CultureInfo.InvariantCulture),
        Text(TokensPerSecond),
        Text(FlopsPerSecond),
        Text(Flops.Layers),
        Text(Flops.Attention),
        Text(Flops.Head),
        Text(Seconds));

    /// <summary>The row as TensorBoard shows it.</summary>
    public IReadOnlyList<(string Tag, double Value)> ToScalars()
    {
        List<(string Tag, double Value)> scalars =
        [
            ("train/loss", TrainLoss),
            ("train/perplexity", Math.Exp(TrainLoss)),
            ("train/learning_rate", LearningRate),
            ("train/gradient_norm", GradientNorm),
            ("growth/executed_depth", ExecutedDepth),
            ("growth/stored_layers", StoredLayers),
            ("speed/tokens_per_second", TokensPerSecond),
            ("speed/flops_per_second", FlopsPerSecond),
            ("cost/flops", Flops.Total),
            ("cost/flops_without_head", Flops.Layers + Flops.Attention),
            ("cost/seconds", Seconds),
        ];
        if (ValidLoss is double loss)
        {
            scalars.Add(("valid/loss", loss));
            scalars.Add(("valid/perplexity", Math.Exp(loss)));
        }

        return scalars;
    }

    private static string Text(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}
