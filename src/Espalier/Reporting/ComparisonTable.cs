namespace Espalier.Reporting;

/// <summary>A comparison as texts in rows and columns, for a terminal or a page to draw.</summary>
public sealed record ComparisonTable
{
    private ComparisonTable(
        string title, string caption, IReadOnlyList<string> columns, IReadOnlyList<IReadOnlyList<string>> rows) =>
        (Title, Caption, Columns, Rows) = (title, caption, columns, rows);

    /// <summary>Names the loss.</summary>
    public string Title { get; }

    /// <summary>Names the target.</summary>
    public string Caption { get; }

    /// <summary>The heads of the columns; the first column holds names, the others figures.</summary>
    public IReadOnlyList<string> Columns { get; }

    /// <summary>A row a run, the baseline first.</summary>
    public IReadOnlyList<IReadOnlyList<string>> Rows { get; }

    /// <summary>The table of one kind of loss.</summary>
    public static ComparisonTable Of(LossComparison comparison) => new(
        LossName(comparison.Kind),
        comparison.Target is double target
            ? $"The target is {Figures.Loss(target)}, where {comparison.Baseline} ends."
            : $"There is no target: {comparison.Baseline} has not measured this loss.",
        ["Run", "Final loss", "FLOPs", "FLOPs to target", "FLOPs saved", "Speed-up", "Saved without head",
            "Time", "Time to target", "Time saved"],
        [.. comparison.Runs.Select(Row)]);

    internal static string LossName(LossKind kind) => kind == LossKind.Train ? "Training loss" : "Held-out loss";

    private static string[] Row(RunSaving run) =>
    [
        run.Unfinished is string unfinished ? $"{run.Name} ({unfinished})" : run.Name,
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
