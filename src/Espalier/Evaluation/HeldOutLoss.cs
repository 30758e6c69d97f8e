using Espalier.Data;
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
public sealed class HeldOutLoss(
    IObjective objective, TokenShard tokens, int batchSize, long? tokenLimit, Compute compute, int? stride = null)
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
        double sum = 0;
        long predicted = 0, right = 0;
        IHeldOutBatches batches = objective.HeldOut(tokens, batchSize, model.Config.ContextLength, tokenLimit, stride);
        for (long i = 0; i < batches.Count; i++)
        {
            using var scope = new TensorScope();
            using Autocast? autocast = compute.LowerProducts();
            TokenBatch batch = batches.At(i);
            ModelBatch tensors = ModelBatch.Of(batch, compute.Device);
            Tensor hidden_NC = ForwardPass.HiddenAtTargets(model, tensors, plan);
            sum += ForwardPass.LossSum(model, hidden_NC, tensors, plan).Item();
            if (withAccuracy)
            {
                long[] best = ForwardPass.HeadLogits(model, hidden_NC, plan).ArgMax().ToArray<long>();
                right += best.Zip(batch.Targets).Count(pair => pair.First == pair.Second);
            }

            predicted += batch.Predicted;
            progress?.Invoke((i + 1.0) / batches.Count);
        }

        return new LossResult(sum / predicted, predicted, withAccuracy ? (double)right / predicted : double.NaN);
    }
}
