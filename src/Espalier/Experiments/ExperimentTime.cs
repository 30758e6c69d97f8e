using Espalier.Reporting;

namespace Espalier.Experiments;

/// <summary>How long the rest of an experiment will take: by its finished runs, and by a short measurement of arms that have none.</summary>
/// <param name="grid">The grid.</param>
/// <param name="runs">Its runs.</param>
public sealed class ExperimentTime(ExperimentGrid grid, ExperimentRunner runs)
{
    /// <summary>The estimate in a sentence.</summary>
    /// <param name="parallel">Runs at once.</param>
    /// <param name="stop">Ends a measurement early.</param>
    /// <exception cref="UserErrorException">The device of a recipe is not here.</exception>
    public string Estimate(int parallel, CancellationToken stop = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(parallel, 1);
        ExperimentRun[] left = [.. runs.Needed.Where(run => !runs.IsFinished(run))];
        string[] measured = [.. left.Select(run => run.Arm).Distinct().Where(arm => PaceOf(arm) is null)];
        Dictionary<string, double> paces = left.Select(run => run.Arm).Distinct().ToDictionary(
            arm => arm, arm => PaceOf(arm) ?? grid.MeasureSecondsPerFlop(left.First(run => run.Arm == arm), stop));
        double known = left.Sum(run => runs.Expected(run) * paces[run.Arm]);

        // Seeds that follow a sweep cost what a run of their arm costs; those of sweeps under way are not among the runs that are known.
        double flops = left.Sum(runs.Expected), toCome = runs.Progress.WantedFlops - runs.Progress.SpentFlops;
        double seconds = flops > 0 ? known / flops * toCome / parallel : 0;
        return left.Length == 0 ? "Nothing is left to do."
            : $"Some {Figures.Duration(seconds)} on a quiet machine"
                + (measured.Length == 0 ? ", by the runs that are finished."
                    : measured.Length == paces.Count ? ", by a few updates of each arm here." : $", by the runs that are finished and a few updates here of {string.Join(", ", measured)}.");
    }

    /// <summary>Seconds of a FLOP of an arm's finished runs; null where it has none.</summary>
    private double? PaceOf(string arm)
    {
        FinishedRun[] finished = [.. runs.Needed.Where(run => run.Arm == arm).Select(runs.Result).OfType<FinishedRun>()];
        return finished.Length == 0 ? null : finished.Sum(run => run.Cost.Seconds) / finished.Sum(run => run.Cost.Flops);
    }
}
