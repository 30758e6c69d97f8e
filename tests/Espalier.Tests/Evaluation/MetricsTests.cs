using System.Text.Json;
using Espalier.Evaluation;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Evaluation;

/// <summary>GLUE's metrics against scikit-learn and scipy (golden/metrics.json), closed forms and invariances.</summary>
public sealed class MetricsTests
{
    private static readonly JsonElement Golden = JsonDocument.Parse(
        File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "golden", "metrics.json"))).RootElement;

    [Fact]
    public void ClassificationIsScikitLearns()
    {
        foreach (JsonElement item in Golden.GetProperty("classification").EnumerateArray())
        {
            int[] expected = item.GetProperty("expected").Deserialize<int[]>()!;
            int[] predicted = item.GetProperty("predicted").Deserialize<int[]>()!;
            Near(item, "accuracy", ClassificationScores.Accuracy(expected, predicted));
            Near(item, "matthews", ClassificationScores.Matthews(expected, predicted));
            if (item.TryGetProperty("f1", out _))
            {
                Near(item, "f1", ClassificationScores.F1(expected, predicted));
            }
        }
    }

    [Fact]
    public void CorrelationsAreScipys()
    {
        foreach (JsonElement item in Golden.GetProperty("correlation").EnumerateArray())
        {
            double[] x = item.GetProperty("x").Deserialize<double[]>()!;
            double[] y = item.GetProperty("y").Deserialize<double[]>()!;
            Near(item, "pearson", Correlation.Pearson(x, y));
            Near(item, "spearman", Correlation.Spearman(x, y));
        }
    }

    [Fact]
    public void ClosedFormsHold()
    {
        // Three found, one missed, two called positive wrongly, four rightly negative.
        int[] expected = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0];
        int[] predicted = [1, 1, 1, 0, 1, 1, 0, 0, 0, 0];
        Assert.Equal(0.7, ClassificationScores.Accuracy(expected, predicted), 12);
        Assert.Equal(2.0 * 0.6 * 0.75 / (0.6 + 0.75), ClassificationScores.F1(expected, predicted), 12);
        Assert.Equal(
            ((3.0 * 4) - (2.0 * 1)) / Math.Sqrt(5.0 * 4 * 6 * 5), ClassificationScores.Matthews(expected, predicted), 12);
        Assert.Equal(8.5 / Math.Sqrt(5 * 20.75), Correlation.Pearson([1, 2, 3, 4], [1, 3, 2, 7]), 12);
        Assert.Equal([2.5, 1, 4, 2.5], Correlation.Ranks([7, 3, 9, 7]));
    }

    [Fact]
    public void MatthewsOfTwoClassesIsPearsonsCoefficient() => Check.QuickThrowOnFailure(
        Prop.ForAll(Gen.Choose(0, 3).ArrayOf().ToArbitrary(), pairs =>
        {
            double[] x = [.. pairs.Select(p => p % 2)], y = [.. pairs.Select(p => p / 2)];
            if (x.Distinct().Count() < 2 || y.Distinct().Count() < 2)
            {
                return true;
            }

            int[] expected = [.. x.Select(v => (int)v)], predicted = [.. y.Select(v => (int)v)];
            return Math.Abs(ClassificationScores.Matthews(expected, predicted) - Correlation.Pearson(x, y)) < 1e-12;
        }));

    [Fact]
    public void SpearmanSeesOnlyTheOrder() => Check.QuickThrowOnFailure(
        Prop.ForAll(Gen.Choose(0, 399).ArrayOf().ToArbitrary(), pairs =>
        {
            double[] x = [.. pairs.Select(p => p % 20)], y = [.. pairs.Select(p => p / 20)];
            double straight = Correlation.Spearman(x, y);
            double bent = Correlation.Spearman([.. x.Select(v => Math.Exp(v / 20))], [.. y.Select(v => (v * v * v) + v)]);
            return straight.Equals(bent) || Math.Abs(straight - bent) < 1e-12;
        }));

    private static void Near(JsonElement item, string metric, double actual)
    {
        JsonElement expected = item.GetProperty(metric);
        string what = $"{item.GetProperty("what").GetString()}: {metric}: {expected} and {actual}";
        Assert.True(
            expected.ValueKind == JsonValueKind.Null
                ? double.IsNaN(actual)
                : Math.Abs(expected.GetDouble() - actual) <= 1e-12, what);
    }
}
