using Espalier.Data;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Evaluation;

/// <summary>What growth has made of a model's answers, measured on text in single precision.</summary>
/// <param name="Before">The model before.</param>
/// <param name="After">The model after.</param>
/// <param name="LargestLogit">The largest score before, by its absolute value.</param>
/// <param name="LargestDifference">The largest difference of a score after from the same before.</param>
/// <param name="Predictions">How many tokens were predicted.</param>
/// <param name="Promised">How far the operator promised to leave the scores as they were.</param>
public sealed record Parity(
    ModelMeasure Before, ModelMeasure After, double LargestLogit, double LargestDifference, long Predictions, Kept Promised)
{
    // Logits computed at a time.
    private const int PieceLogits = 1 << 22;

    /// <summary>
    /// What rounding may change a score by, relative to the largest: in single precision another order of the same sums moves the
    /// scores of a large model by some 1e-6 of them.
    /// </summary>
    public const double RoundingTolerance = 1e-4;

    /// <summary><see cref="RoundingTolerance"/>, beside the figures that were held to it.</summary>
    public double Tolerance { get; } = RoundingTolerance;

    /// <summary>Whether a promise to keep the scores exactly was kept; null where that was not promised.</summary>
    public bool? PromiseHeld => Promised == Kept.Exactly ? LargestDifference <= Tolerance * LargestLogit : null;

    /// <summary>Measures a model before and after its growth.</summary>
    /// <param name="before">The model before; its gradients are cleared.</param>
    /// <param name="after">The model after; likewise.</param>
    /// <param name="promised">How far the operator promised to leave the scores as they were.</param>
    /// <param name="batches">Text.</param>
    /// <exception cref="UserErrorException">There is too little text to predict anything.</exception>
    internal static Parity Measure(Model before, Model after, Kept promised, IHeldOutBatches batches)
    {
        Model[] models = [before, after];
        double[] sums = [0, 0];
        double largest = 0, difference = 0;
        long predicted = 0;
        foreach (Model model in models)
        {
            model.Parameters.ClearGradients();
        }

        for (long i = 0; i < batches.Count; i++)
        {
            using var scope = new TensorScope();
            TokenBatch tokens = batches.At(i);
            if (tokens.Predicted == 0)
            {
                continue;
            }

            ModelBatch batch = ModelBatch.Of(tokens, before.Parameters.Device);
            var hidden = new Tensor[2];
            for (int m = 0; m < 2; m++)
            {
                hidden[m] = ForwardPass.HiddenAtTargets(models[m], batch, Plain(models[m]));
                Tensor loss = ForwardPass.LossSum(models[m], hidden[m], batch, Plain(models[m]));
                sums[m] += loss.Item();
                loss.Backward();
            }

            (double inBatch, double differs) = Compare(models, hidden);
            (largest, difference) = (Math.Max(largest, inBatch), Math.Max(difference, differs));
            predicted += tokens.Predicted;
        }

        if (predicted == 0)
        {
            throw new UserErrorException("There is too little text to predict anything in.", "Name a longer one.");
        }

        ModelMeasure[] measures =
        [
            .. models.Zip(sums, (model, sum) => new ModelMeasure(sum / predicted, GradientNorm.Of(model.Parameters) / predicted)),
        ];
        foreach (Model model in models)
        {
            model.Parameters.ClearGradients();
        }

        return new Parity(measures[0], measures[1], largest, difference, predicted, promised);
    }

    /// <summary>The largest score of the first model, and the largest difference of the second's; in pieces, for memory.</summary>
    private static (double Largest, double Difference) Compare(Model[] models, Tensor[] hidden_NC)
    {
        using var noGrad = new NoGrad();
        double largest = 0, difference = 0;
        long rows = hidden_NC[0].Shape[0], piece = Math.Max(1, PieceLogits / models[0].Config.Vocabulary);
        for (long begin = 0; begin < rows; begin += piece)
        {
            using var scope = new TensorScope();
            float[][] logits =
            [
                .. models.Zip(hidden_NC, (model, hidden) => ForwardPass.HeadLogits(
                    model, hidden.Narrow(0, begin, Math.Min(piece, rows - begin)), Plain(model)).Reshape(-1).ToArray<float>()),
            ];
            for (int i = 0; i < logits[0].Length; i++)
            {
                largest = Math.Max(largest, Math.Abs((double)logits[0][i]));
                difference = Math.Max(difference, Math.Abs((double)logits[1][i] - logits[0][i]));
            }
        }

        return (largest, difference);
    }

    private static ForwardPlan Plain(Model model) => ForwardPlan.Plain(model.Config.Layers);
}
