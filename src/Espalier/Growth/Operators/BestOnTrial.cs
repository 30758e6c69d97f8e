using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Grows copies of the state in several ways, trains each for some updates on the batches that the run meets next, and keeps the way
/// whose loss is then the lowest (landscape-aware growing, arXiv 2406.02469). What the trials cost is the run's.
/// </summary>
/// <param name="Ways">The ways, all to the same sizes.</param>
/// <param name="Steps">Updates of a trial, at least 1. The mean loss of their last quarter counts, which is ours.</param>
public sealed record BestOnTrial(IReadOnlyList<GrowthOperator> Ways, int Steps) : GrowthOperator
{
    /// <inheritdoc/>
    public override ModelConfig Grow(ModelConfig model)
    {
        ModelConfig[] grown = [.. Ways.Select(way => (way with { Moments = Moments }).Grow(model))];
        return grown[0];
    }

    /// <summary>What all of the ways keep.</summary>
    /// <inheritdoc/>
    public override Promise Promise(ModelConfig model)
    {
        Promise[] promises = [.. Ways.Select(way => (way with { Moments = Moments }).Promise(model))];
        return new Promise(promises.Max(promise => promise.Loss), Array.TrueForAll(promises, promise => promise.Dynamics));
    }

    /// <summary>All trials, each to its last update, and the dearest way once more, for it may be the one that is taken.</summary>
    /// <inheritdoc/>
    public override FlopsCount Cost(ModelConfig model, IGrowthCosts costs)
    {
        FlopsCount[] ways = [.. Ways.Select(way => way.Cost(model, costs))];
        return ways.Aggregate(costs.Train(Grow(model), Steps) * Ways.Count, (sum, way) => sum + way) + ways.MaxBy(way => way.Total);
    }

    /// <inheritdoc/>
    public override string ToString() =>
        $"best after {Steps} updates of: {string.Join("; ", Ways.Select(way => way with { Moments = Moments }))}";

    /// <inheritdoc/>
    public override TrainingState Apply(TrainingState state, IGrowthContext context)
    {
        GrowthOperator best = Ways.MinBy(way => LossOf(way, state, context))!;
        return (best with { Moments = Moments }).Apply(state, context);
    }

    private double LossOf(GrowthOperator way, TrainingState state, IGrowthContext context)
    {
        using TrainingState trial = (way with { Moments = Moments }).Apply(state.Copy(), context);
        IReadOnlyList<double> losses = context.Train(trial, Steps);
        double loss = losses.Skip(losses.Count - ((losses.Count + 3) / 4)).Average();
        return double.IsFinite(loss) ? loss : double.PositiveInfinity;
    }
}
