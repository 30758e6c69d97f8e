using Espalier.Configuration;
using Espalier.Evaluation;

namespace Espalier.Finetuning;

/// <summary>A task's metrics.</summary>
public static class TaskMetrics
{
    /// <summary>The name of a metric, as task files write it.</summary>
    public static string NameOf(MetricKind metric) => ConfigKeys.Kebab(metric);

    /// <summary>A metric of predictions.</summary>
    /// <param name="metric">The metric.</param>
    /// <param name="expected">The right labels: ids of classes, or scores.</param>
    /// <param name="predicted">The predicted ones.</param>
    public static double Of(MetricKind metric, double[] expected, double[] predicted)
    {
        return metric switch
        {
            MetricKind.Accuracy => ClassificationScores.Accuracy(Ids(expected), Ids(predicted)),
            MetricKind.F1 => ClassificationScores.F1(Ids(expected), Ids(predicted)),
            MetricKind.Matthews => ClassificationScores.Matthews(Ids(expected), Ids(predicted)),
            MetricKind.Pearson => Correlation.Pearson(expected, predicted),
            _ => Correlation.Spearman(expected, predicted),
        };

        static int[] Ids(double[] labels) => Array.ConvertAll(labels, label => (int)label);
    }

    /// <summary>A metric of always giving the training examples' commonest class, or their mean score.</summary>
    /// <param name="metric">The metric.</param>
    /// <param name="data">The task's examples.</param>
    public static double OfConstant(MetricKind metric, TaskData data)
    {
        IEnumerable<double> labels = data.Train.Select(example => example.Label);
        double constant = metric is MetricKind.Pearson or MetricKind.Spearman
            ? labels.Average()
            : labels.CountBy(label => label).MaxBy(count => count.Value).Key;
        double[] predicted = new double[data.Validation.Length];
        Array.Fill(predicted, constant);
        return Of(metric, [.. data.Validation.Select(example => example.Label)], predicted);
    }
}
