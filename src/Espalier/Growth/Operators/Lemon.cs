using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Growth;

/// <summary>
/// Copies of units in turn, to any width; what reads a unit is shared out among its copies unequally, so that they are trained
/// apart (LEMON, arXiv 2310.07999). Feed-forward units and heads may be copied unequally often. Hidden units may not where layer
/// norms read them: those of an unfinished round are the mean of all others instead. Then the norms take the same mean,
/// and a variance that is smaller by the part of such units, which their weights make good; they give 0 for these units,
/// so that what reads them, which is fresh, reads 0.
/// </summary>
/// <remarks>
/// So it is exact at any width where layer norms come first. A root-mean-square norm takes no mean from such units, and a norm that comes after a sublayer makes the residual stream itself, in which
/// they would be 0 and no mean: there hidden units are copied in turn, exactly in whole rounds, as in the authors' code.
/// The epsilon of the norms shrinks with the variance, and `config.json` says so.
/// </remarks>
public sealed record Lemon : CloneWidth
{
    /// <summary>Of the shares.</summary>
    public ulong Seed { get; init; }

    /// <inheritdoc/>
    protected override string Name => "lemon";

    /// <inheritdoc/>
    protected override IEnumerable<string> Settings => [$"seed {Seed}"];

    /// <inheritdoc/>
    public override ModelConfig Grow(ModelConfig model)
    {
        ModelConfig grown = base.Grow(model);
        int means = Means(AxisKind.Hidden, model, grown);
        return means == 0 ? grown : grown with { LayerNormEpsilon = model.LayerNormEpsilon * Variance(grown.HiddenSize, means) };
    }

    /// <inheritdoc/>
    protected override AxisMap Units(AxisKind kind, ModelConfig model)
    {
        ModelConfig grown = Grow(model);
        int means = Means(kind, model, grown);
        return new AxisMap(
        [
            .. Units(kind, model.UnitsOf(kind), grown.UnitsOf(kind) - means).Units,
            .. Enumerable.Repeat(UnitOrigin.Mean, means),
        ]);
    }

    /// <summary>Shares in proportion to numbers between 1/2 and 3/2: none is nearly nothing.</summary>
    /// <inheritdoc/>
    protected override AxisMap Units(AxisKind kind, int before, int after)
    {
        var random = new CounterRandom(Seed, RandomPurpose.Growth, (long)kind, microBatch: 1);
        var sums = new double[before];
        IReadOnlyList<UnitOrigin> units = AxisMap.Rounds(before, after).Units;
        for (int unit = 0; unit < after; unit++)
        {
            sums[units[unit].Source] += Weight(unit);
        }

        return new AxisMap([.. units.Select((unit, i) => unit with { Share = Weight(i) / sums[unit.Source] })]);

        double Weight(int unit) => 0.5 + random.NextDouble((uint)unit);
    }

    /// <inheritdoc/>
    protected override double Factor(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) =>
        first.IsMean && IsNorm(parameter) && parameter.Initialization == Initialization.Zeros ? 0 : base.Factor(parameter, first, second);

    /// <inheritdoc/>
    protected override double FreshShare(ParameterSpec parameter, UnitOrigin first, UnitOrigin second)
    {
        return ReadsMean(0, first) || ReadsMean(1, second) ? 1 : 0;

        bool ReadsMean(int axis, UnitOrigin unit) => unit.IsMean && parameter.Axes[axis].Side == AxisSide.Input;
    }

    /// <inheritdoc/>
    protected override Tensor Finish(ParameterSpec parameter, IReadOnlyList<AxisMap> units, Tensor weight) =>
        IsNorm(parameter) && parameter.Initialization == Initialization.Ones && units[0].HasMean
            ? weight * Math.Sqrt(Variance(units[0].Units.Count, units[0].Units.Count(unit => unit.IsMean)))
            : weight;

    /// <summary>How many units are the mean of the others.</summary>
    private static int Means(AxisKind kind, ModelConfig model, ModelConfig grown) =>
        kind == AxisKind.Hidden && model.Architecture is { NormsComeFirst: true, NormsTakeMean: true } ? grown.HiddenSize % model.HiddenSize : 0;

    /// <summary>The variance over all units, of that over those that are copies.</summary>
    private static double Variance(int units, int means) => (double)(units - means) / units;

    private static bool IsNorm(ParameterSpec parameter) => parameter.Axes is [{ Kind: AxisKind.Hidden, Side: AxisSide.None }];
}
