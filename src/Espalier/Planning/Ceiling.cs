namespace Espalier.Planning;

/// <summary>A model of a ladder of sizes: what it costs to bring it to a loss when trained alone.</summary>
/// <param name="Name">What to call it.</param>
/// <param name="CostOf">The cost at which it first has a loss; infinite where it never has.</param>
internal sealed record Rung(string Name, Func<double, double> CostOf);

/// <summary>A stage of the schedule that attains a ceiling.</summary>
/// <param name="Name">The model.</param>
/// <param name="Until">The loss at which it ends.</param>
/// <param name="Cost">What the stage costs.</param>
internal sealed record CeilingStage(string Name, double Until, double Cost);

/// <summary>
/// The most that growing can save: an ideal operator would make of the small model at some loss the large one's own state at that
/// loss, at once and for nothing.
/// </summary>
/// <param name="Stages">The schedule that attains it.</param>
/// <param name="Scratch">What the last model costs alone.</param>
internal sealed record Ceiling(IReadOnlyList<CeilingStage> Stages, double Scratch)
{
    private const int LossPoints = 400;

    /// <summary>The share of training from scratch that is saved.</summary>
    public double Saving => 1 - (Stages.Sum(stage => stage.Cost) / Scratch);

    /// <summary>The loss at which the last model takes over; null where nothing is saved by growing.</summary>
    public double? LastHop => Stages.Count > 1 ? Stages[^2].Until : null;

    /// <summary>Finds the ceiling of a ladder.</summary>
    /// <param name="ladder">The models, by growing size; the last is the one to end with.</param>
    /// <param name="highest">The highest loss at which to grow.</param>
    /// <param name="target">The loss to end at, which the last model reaches.</param>
    /// <param name="hops">The most growths.</param>
    public static Ceiling Of(IReadOnlyList<Rung> ladder, double highest, double target, int hops)
    {
        double[] losses = Losses(highest, target);
        double[][] costs = [.. ladder.Select(rung => losses.Select(rung.CostOf).ToArray())];
        (_, IReadOnlyList<Stage> stages) = StageSearch.Cheapest(ladder.Count, losses.Length, hops + 1, Cost);
        return new Ceiling(
            [.. stages.Select(stage => new CeilingStage(ladder[stage.Size].Name, losses[stage.To], Cost(stage.Size, stage.From, stage.To)))],
            costs[^1][^1]);

        double Cost(int size, int from, int to) => double.IsFinite(costs[size][to])
            ? costs[size][to] - (from < 0 ? 0 : costs[size][from])
            : double.PositiveInfinity;
    }

    /// <summary>Losses in equal ratios, from the highest to the target.</summary>
    internal static double[] Losses(double highest, double target) =>
    [
        .. Enumerable.Range(0, LossPoints).Select(i => i == LossPoints - 1
            ? target
            : highest * Math.Pow(target / highest, (double)i / (LossPoints - 1))),
    ];
}
