namespace Espalier.Planning;

/// <summary>A stage of a schedule by a scaling law.</summary>
/// <param name="Size">N.</param>
/// <param name="Steps">Its updates.</param>
/// <param name="Batch">Tokens of an update.</param>
/// <param name="Loss">Where it ends.</param>
internal sealed record LawStage(double Size, double Steps, double Batch, double Loss)
{
    /// <summary>6 N B S.</summary>
    public double Flops => 6 * Size * Batch * Steps;
}

/// <summary>
/// The cheapest schedule of growing models by a scaling law: the least sum of 6 N B S with the last size and loss given, each stage
/// going on from the loss of the one before, at the step where its own size has that loss (arXiv 2203.06211, section 4).
/// </summary>
/// <param name="Stages">The stages, the smallest first.</param>
/// <param name="Scratch">What the last model costs from scratch.</param>
internal sealed record LawSchedule(IReadOnlyList<LawStage> Stages, double Scratch)
{
    private const int LossPoints = 240;

    /// <summary>What all stages cost.</summary>
    public double Flops => Stages.Sum(stage => stage.Flops);

    /// <summary>The share of training from scratch that is saved.</summary>
    public double Saving => 1 - (Flops / Scratch);

    /// <summary>Finds it.</summary>
    /// <param name="law">The law.</param>
    /// <param name="sizes">The sizes to choose among, growing; the last is the one to end with.</param>
    /// <param name="loss">The loss to end at, above the floor of the last size.</param>
    /// <param name="most">The most stages.</param>
    /// <param name="batchFollows">Whether each stage has the batch of its own loss; else all have that of the last.</param>
    public static LawSchedule Cheapest(
        ScalingLaw law, IReadOnlyList<double> sizes, double loss, int most, bool batchFollows = false)
    {
        // Above this loss the smallest model has hardly begun.
        double[] losses = Losses(law.Floor(sizes[0]) * 2, loss);
        double[] batches = [.. losses.Select(l => batchFollows ? law.Batch(l) : law.Batch(loss))];
        double[][] steps = [.. sizes.Select(size => losses.Select(l => law.Steps(size, l)).ToArray())];
        (_, IReadOnlyList<Stage> stages) = StageSearch.Cheapest(
            sizes.Count, losses.Length, most, (size, from, to) => 6 * sizes[size] * batches[to] * Steps(size, from, to));
        return new LawSchedule(
            [.. stages.Select(s => new LawStage(sizes[s.Size], Steps(s.Size, s.From, s.To), batches[s.To], losses[s.To]))],
            law.Flops(sizes[^1], loss));

        double Steps(int size, int from, int to) => double.IsFinite(steps[size][to])
            ? steps[size][to] - (from < 0 ? 0 : steps[size][from])
            : double.PositiveInfinity;
    }

    /// <summary>Sizes in equal ratios, up to the last.</summary>
    /// <param name="last">N.</param>
    public static double[] Ladder(double last)
    {
        const int Count = 41;
        const double Smallest = 1.0 / 1024;
        return [.. Enumerable.Range(0, Count).Select(i => last * Math.Pow(Smallest, 1 - ((double)i / (Count - 1))))];
    }

    private static double[] Losses(double highest, double target) =>
        [.. Enumerable.Range(0, LossPoints).Select(i => target * Math.Pow(highest / target, 1 - ((double)i / (LossPoints - 1))))];
}
