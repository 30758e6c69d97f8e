namespace Espalier.Reporting;

/// <summary>A comparison as texts in rows and columns, for a terminal or a page to draw.</summary>
public sealed record ComparisonTable
{
    private ComparisonTable(string title, IReadOnlyList<string> columns, IReadOnlyList<IReadOnlyList<string>> rows) =>
        (Title, Columns, Rows) = (title, columns, rows);

    /// <summary>Names the loss and the target.</summary>
    public string Title { get; }

    /// <summary>The heads of the columns; the first column holds names, the others figures.</summary>
    public IReadOnlyList<string> Columns { get; }

    /// <summary>A row a run, the baseline first.</summary>
    public IReadOnlyList<IReadOnlyList<string>> Rows { get; }

    /// <summary>The table of one kind of loss.</summary>
    public static ComparisonTable Of(LossComparison comparison) => new(
        comparison.Target is double target
            ? $"{LossName(comparison.Kind)}: the target is {Figures.Loss(target)}, where {comparison.Baseline} ends"
            : $"{LossName(comparison.Kind)}: {comparison.Baseline} has not measured it",
        ["Run", "Final loss", "FLOPs", "To target", "Saved", "Speed-up", "Saved, head apart", "Time", "To target", "Saved"],
        [.. comparison.Runs.Select(Row)]);

    internal static string LossName(LossKind kind) => kind == LossKind.Train ? "Training loss" : "Held-out loss";

    private static string[] Row(RunSaving run) =>
    [
        run.Name,
        Figures.Loss(run.FinalLoss),
        Figures.Flops(run.Total.Flops),
        run.Reaching is null ? "not reached" : Figures.Flops(run.ToTarget?.Flops),
        Figures.Percent(run.FlopsSaving),
        Figures.Percent(run.FlopsSpeedup),
        Figures.Percent(run.FlopsSavingWithoutHead),
        Figures.Duration(run.Total.Seconds),
        Figures.Duration(run.ToTarget?.Seconds),
        Figures.Percent(run.WallSaving),
    ];
}
