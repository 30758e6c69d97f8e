using Espalier.Data;
using Espalier.Distributed;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Evaluation;

/// <summary>A mean loss and how much text it was measured on.</summary>
/// <param name="Loss">Nats a token.</param>
/// <param name="Tokens">Predicted tokens.</param>
/// <param name="Accuracy">The share of them to which the model gives the highest score; NaN where it was not measured.</param>
public readonly record struct LossResult(double Loss, long Tokens, double Accuracy = double.NaN)
{
    /// <summary>exp of the loss.</summary>
    public double Perplexity => Math.Exp(Loss);
}

/// <summary>The loss of a model on text that it was not trained on, in windows of its context length.</summary>
/// <param name="objective">What the model is to do.</param>
/// <param name="tokens">The held-out text.</param>
/// <param name="batchSize">Windows computed at a time.</param>
/// <param name="tokenLimit">The tokens to measure on, or null for all.</param>
/// <param name="compute">Where the model lies, and in which number format to compute.</param>
/// <param name="stride">Tokens from one window to the next, or null for the context length: <see cref="IObjective.HeldOut"/>.</param>
/// <param name="ranks">Those that share the work, each with the whole model; null for this process alone. The result is the same bits.</param>
public sealed class HeldOutLoss(
    IObjective objective, TokenShard tokens, int batchSize, long? tokenLimit, Compute compute, int? stride = null, Ranks? ranks = null)
{
    /// <summary>Measures a model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="plan">What runs.</param>
    /// <param name="progress">Hears of the share that is done, in [0, 1].</param>
    /// <param name="withAccuracy">Whether to measure the accuracy too, for which all scores are computed.</param>
    public LossResult Measure(
        Model model, ForwardPlan plan, Action<double>? progress = null, bool withAccuracy = false)
    {
        using var noGrad = new NoGrad();
        Ranks all = ranks ?? Ranks.Single;
        IHeldOutBatches batches = objective.HeldOut(tokens, batchSize, model.Config.ContextLength, tokenLimit, stride);

        // Batch by batch, so that they are added in the same order whoever computed them.
        double[] sums = new double[batches.Count], predicted = new double[batches.Count], right = new double[batches.Count];
        for (long i = all.Rank; i < batches.Count; i += all.Size)
        {
            using var scope = new TensorScope();
            using Autocast? autocast = compute.LowerProducts();
            TokenBatch batch = batches.At(i);
            ModelBatch tensors = ModelBatch.Of(batch, compute.Device);
            Tensor hidden_NC = ForwardPass.HiddenAtTargets(model, tensors, plan);
            sums[i] = ForwardPass.LossSum(model, hidden_NC, tensors, plan).Item();
            if (withAccuracy)
            {
                long[] best = ForwardPass.HeadLogits(model, hidden_NC, plan).ArgMax().ToArray<long>();
                right[i] = best.Zip(batch.Targets).Count(pair => pair.First == pair.Second);
            }

            predicted[i] = batch.Predicted;
            progress?.Invoke((i + 1.0) / batches.Count);
        }

        double[] found = [.. sums, .. predicted, .. right];
        all.Sum(found);
        (double Loss, double Predicted, double Right) total = (Part(0), Part(1), Part(2));
        return new LossResult(
            total.Loss / total.Predicted, (long)total.Predicted, withAccuracy ? total.Right / total.Predicted : double.NaN);

        double Part(int part) => found.AsSpan(part * sums.Length, sums.Length).ToArray().Aggregate(0.0, (sum, value) => sum + value);
    }
}
