using Espalier.Data;
using Espalier.Models;

namespace Espalier.Evaluation;

/// <summary>A model on a device that is measured on whatever text is given.</summary>
/// <param name="model">The model.</param>
/// <param name="plan">What runs.</param>
/// <param name="tokenizer">Its tokenizer.</param>
/// <param name="compute">Where the model lies, and in which number format to compute.</param>
public sealed class ModelEvaluation(Model model, ForwardPlan plan, Tokenizer tokenizer, Compute compute)
{
    // Tokens computed at a time, fewer where the vocabulary is so large that their logits would fill the memory.
    private const int BatchTokens = 4096;
    private const int BatchLogits = 1 << 27;

    private readonly IObjective _objective = model.Architecture.Objective(tokenizer);
    private readonly int _batchTokens = Math.Min(BatchTokens, BatchLogits / model.Config.Vocabulary);

    /// <summary>Whether the model predicts every token, from those before it; else some that are masked, from all others.</summary>
    public bool PredictsEveryToken => _objective.PredictedShare(model.Config.ContextLength) == 1;

    /// <summary>Measures the loss on a text; of a model that does not predict every token, the accuracy too.</summary>
    /// <param name="path">What <see cref="EvaluationText.Open"/> takes.</param>
    /// <param name="stride">Tokens from one window to the next, or null for the context length.</param>
    /// <param name="progress">Hears of the share that is done, in [0, 1].</param>
    /// <returns>The loss, and how much text it was measured on.</returns>
    /// <exception cref="UserErrorException">There is no text, it is damaged, or it does not fit the tokenizer.</exception>
    public (LossResult Loss, DatasetPart Text) OnText(string path, int? stride = null, Action<double>? progress = null)
    {
        using EvaluationText text = EvaluationText.Open(path, tokenizer);
        int windows = Math.Max(1, _batchTokens / model.Config.ContextLength);
        var measure = new HeldOutLoss(_objective, text.Tokens, windows, null, compute, stride);
        return (measure.Measure(model, plan, progress, withAccuracy: !PredictsEveryToken), text.Size);
    }

    /// <summary>Measures how well a model that predicts every token guesses the last words of passages.</summary>
    /// <param name="path">What <see cref="Lambada.Open"/> takes.</param>
    /// <param name="progress">Hears of the share that is done, in [0, 1].</param>
    /// <exception cref="UserErrorException">The file is missing or damaged.</exception>
    public LambadaResult OnLastWords(string path, Action<double>? progress = null) =>
        Lambada.Open(path, tokenizer).Measure(model, plan, _batchTokens, compute, progress);
}
