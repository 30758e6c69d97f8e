namespace Espalier.Evaluation;

/// <summary>
/// How well predicted classes meet the right ones, as GLUE measures it. What is undefined (0/0) is 0, as scikit-learn
/// has it.
/// </summary>
public static class ClassificationScores
{
    /// <summary>The share of right predictions, in [0, 1].</summary>
    /// <param name="expected">The right classes, from 0; at least one.</param>
    /// <param name="predicted">The predicted classes.</param>
    public static double Accuracy(ReadOnlySpan<int> expected, ReadOnlySpan<int> predicted)
    {
        RequirePairs(expected.Length, predicted.Length);
        int right = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            right += expected[i] == predicted[i] ? 1 : 0;
        }

        return (double)right / expected.Length;
    }

    /// <summary>The harmonic mean of precision and recall of class 1, in [0, 1].</summary>
    /// <param name="expected">The right classes, 0 or 1; at least one.</param>
    /// <param name="predicted">The predicted classes.</param>
    public static double F1(ReadOnlySpan<int> expected, ReadOnlySpan<int> predicted)
    {
        RequirePairs(expected.Length, predicted.Length);
        int found = 0, wrong = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            bool isPositive = expected[i] == 1, isCalledPositive = predicted[i] == 1;
            found += isPositive && isCalledPositive ? 1 : 0;
            wrong += isPositive != isCalledPositive ? 1 : 0;
        }

        return found == 0 ? 0 : 2.0 * found / ((2.0 * found) + wrong);
    }

    /// <summary>
    /// Matthews' correlation coefficient, in [-1, 1]; of more than two classes Gorodkin's R_K (2004).
    /// </summary>
    /// <param name="expected">The right classes, from 0; at least one.</param>
    /// <param name="predicted">The predicted classes.</param>
    public static double Matthews(ReadOnlySpan<int> expected, ReadOnlySpan<int> predicted)
    {
        RequirePairs(expected.Length, predicted.Length);
        int classes = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            classes = Math.Max(classes, Math.Max(expected[i], predicted[i]) + 1);
        }

        var expectedCount = new double[classes];
        var predictedCount = new double[classes];
        double right = 0, all = expected.Length;
        for (int i = 0; i < expected.Length; i++)
        {
            expectedCount[expected[i]]++;
            predictedCount[predicted[i]]++;
            right += expected[i] == predicted[i] ? 1 : 0;
        }

        double covariance = right * all, expectedVariance = all * all, predictedVariance = all * all;
        for (int c = 0; c < classes; c++)
        {
            covariance -= expectedCount[c] * predictedCount[c];
            expectedVariance -= expectedCount[c] * expectedCount[c];
            predictedVariance -= predictedCount[c] * predictedCount[c];
        }

        double product = expectedVariance * predictedVariance;
        return product == 0 ? 0 : covariance / Math.Sqrt(product);
    }

    private static void RequirePairs(int expected, int predicted)
    {
        ArgumentOutOfRangeException.ThrowIfZero(expected);
        ArgumentOutOfRangeException.ThrowIfNotEqual(predicted, expected);
    }
}
