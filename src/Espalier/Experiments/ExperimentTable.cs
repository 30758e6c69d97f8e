using System.Globalization;
using Espalier.Reporting;

namespace Espalier.Experiments;

/// <summary>Tables of an experiment, for a terminal or a page to draw.</summary>
public static class ExperimentTable
{
    /// <summary>Every arm at a budget, the best loss first.</summary>
    /// <param name="result">The experiment.</param>
    /// <param name="budget">FLOPs.</param>
    public static TextTable Of(ExperimentResult result, double budget)
    {
        ArgumentNullException.ThrowIfNull(result);
        return new TextTable(
            $"At {Figures.Flops(budget)} FLOPs",
            ["Arm", "Held-out loss", "±", "Seeds", "Learning rate", "Steps", "FLOPs", "Without head", "Time", "To the envelope", "±"],
            [.. result.Arms.Where(arm => arm.Budget == budget).OrderBy(arm => arm.Loss.Mean).Select(arm => Row(result, arm))]);
    }

    /// <summary>The runs that an experiment needs, as far as is known before it is made.</summary>
    /// <param name="grid">The grid.</param>
    /// <param name="runs">Its runs.</param>
    public static TextTable OfRuns(ExperimentGrid grid, ExperimentRunner runs)
    {
        ArgumentNullException.ThrowIfNull(grid);
        ArgumentNullException.ThrowIfNull(runs);
        ExperimentProgress progress = runs.Progress;
        return new TextTable(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{progress.Wanted} runs of {Figures.Flops(progress.WantedFlops)} FLOPs in all, {progress.Finished} finished; these are known so far"),
            ["Arm", "Budget", "Learning rate", "Seed", "Steps", "FLOPs", "Goes on from", "There is"],
            [.. runs.Needed.Select(run => new[]
            {
                run.Arm, Figures.Flops(run.Budget), Rate(run.LearningRate), run.Seed.ToString(CultureInfo.InvariantCulture),
                run.Steps.ToString("N0", CultureInfo.InvariantCulture), Figures.Flops(run.ExpectedFlops),
                grid.Trunks(run).FirstOrDefault() is ExperimentRun trunk
                    ? string.Create(CultureInfo.InvariantCulture, $"{Figures.Flops(trunk.Budget)} at {trunk.StableSteps:N0}") : "",
                runs.IsFinished(run) ? "finished" : "",
            })]);
    }

    private static string[] Row(ExperimentResult result, ArmResult arm)
    {
        Verdict? verdict = result.Verdicts.FirstOrDefault(verdict => verdict.Arm == arm);
        return
        [
            arm.Arm.Name, Loss(arm.Loss.Mean), Loss(arm.Loss.HalfWidth), arm.Loss.Count.ToString(CultureInfo.InvariantCulture),
            Rate(arm.BestRate) + (arm.IsAtEdge ? " (edge)" : ""),
            arm.Runs[0].Run.Steps.ToString("N0", CultureInfo.InvariantCulture), Figures.Flops(arm.Cost.Flops),
            Figures.Flops(arm.Cost.FlopsWithoutHead), Figures.Duration(arm.Cost.Seconds),
            verdict is not null ? verdict.Difference.Mean.ToString("+0.0000;-0.0000", CultureInfo.InvariantCulture)
                : arm == result.Rival(arm.Budget) ? "envelope" : "",
            Loss(verdict?.Difference.HalfWidth, none: ""),
        ];
    }

    private static string Loss(double? loss, string none = Figures.None) => loss?.ToString("F4", CultureInfo.InvariantCulture) ?? none;

    private static string Rate(double rate) => rate.ToString("0.###e0", CultureInfo.InvariantCulture);
}
