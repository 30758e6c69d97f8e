using Espalier.Torch;

namespace Espalier.Finetuning;

/// <summary>What a model makes of examples.</summary>
internal static class SequenceScores
{
    // Sequences at a time.
    private const int Batch = 64;

    /// <summary>The scores of each example, in the order of the examples.</summary>
    /// <param name="model">The model.</param>
    /// <param name="examples">The examples.</param>
    /// <param name="padding">The token that fills short sequences up.</param>
    /// <param name="device">Where the model lies.</param>
    /// <param name="stop">Ends the work.</param>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static float[][] Of(SequenceModel model, EncodedExample[] examples, int padding, Device device, CancellationToken stop)
    {
        using var noGrad = new NoGrad();
        var all = new float[examples.Length][];
        var batches = new ExampleBatches(examples, Batch, padding);
        foreach (int[] batch in batches.LongestFirst())
        {
            stop.ThrowIfCancellationRequested();
            using var scope = new TensorScope();
            Tensor scores_BO = model.Scores(batches.Input(batch, device), training: false);
            foreach ((int example, float[] scores) in batch.Zip(scores_BO.ToArray<float>().Chunk((int)scores_BO.Shape[1])))
            {
                all[example] = scores;
            }
        }

        return all;
    }

    /// <summary>The id of the class with the highest score, or the score of a regression.</summary>
    public static double Label(float[] scores, bool isRegression) => isRegression ? scores[0] : Array.IndexOf(scores, scores.Max());
}
