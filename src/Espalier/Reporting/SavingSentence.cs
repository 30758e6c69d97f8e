namespace Espalier.Reporting;

/// <summary>The outcome of a comparison in one sentence.</summary>
public static class SavingSentence
{
    /// <summary>Says what the best run saves at equal held-out loss; at equal training loss where none was held out.</summary>
    public static string Of(RunComparison comparison)
    {
        LossComparison losses = Deciding(comparison);
        return Outcome(losses) + (losses.Runs[0].Unfinished is string unfinished ? $" But {losses.Baseline} is {unfinished}." : "");
    }

    private static string Outcome(LossComparison losses)
    {
        string name = losses.Kind == LossKind.Valid ? "held-out loss" : "training loss";
        if (losses.Runs.Count < 2)
        {
            return $"{losses.Baseline} stands alone: name more runs to compare it with.";
        }

        if (Best(losses) is not RunSaving best)
        {
            return $"No run reaches the {name} at which {losses.Baseline} ends ({Figures.Loss(losses.Target)}).";
        }

        double baseline = losses.Runs[0].ToTarget!.Value.Flops;
        return $"{best.Name} reaches the {name} at which {losses.Baseline} ends ({Figures.Loss(losses.Target)}) with "
            + $"{Figures.FlopsInProse(best.ToTarget!.Value.Flops)} of its {Figures.FlopsInProse(baseline)} FLOPs: "
            + $"{Difference(best.FlopsSaving!.Value, "fewer")} FLOPs{Time(best.WallSaving)}.";
    }

    internal static LossComparison Deciding(RunComparison comparison) =>
        comparison.Valid.Target is null ? comparison.Train : comparison.Valid;

    /// <summary>The run that saves most; null where none reaches the target.</summary>
    internal static RunSaving? Best(LossComparison losses) => losses.Runs
        .Where(run => !run.IsBaseline && run.FlopsSaving is not null)
        .MaxBy(run => run.FlopsSaving);

    private static string Time(double? saving) => saving is double share ? $" and {Difference(share, "less")} time" : "";

    private static string Difference(double saving, string less) =>
        $"{Figures.Percent(Math.Abs(saving))} {(saving >= 0 ? less : "more")}";
}
