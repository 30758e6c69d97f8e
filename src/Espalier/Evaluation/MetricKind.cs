namespace Espalier.Evaluation;

/// <summary>A measure of predictions on a task, as GLUE defines it.</summary>
public enum MetricKind
{
    /// <summary>The share of right classes.</summary>
    Accuracy,

    /// <summary>F1 of the second of two classes.</summary>
    F1,

    /// <summary>Matthews' correlation of classes.</summary>
    Matthews,

    /// <summary>Pearson's correlation of numbers.</summary>
    Pearson,

    /// <summary>Spearman's correlation of numbers.</summary>
    Spearman,
}
