using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Copies of units in turn, to any width; what reads a unit is shared out among its copies unequally, so that they are trained
/// apart (LEMON, arXiv 2310.07999). Feed-forward units and heads may be copied unequally often. Hidden units may too, but then
/// layer norms, which this library's models have, count some of them more often. The paper gives the units of an unfinished
/// round the mean of all others instead, which leaves layer norm's mean as it is; a unit here has one source, so that this is
/// not offered.
/// </summary>
public sealed record Lemon : CloneWidth
{
    /// <summary>Of the shares.</summary>
    public ulong Seed { get; init; }

    /// <inheritdoc/>
    protected override string Name => "lemon";

    /// <inheritdoc/>
    protected override IEnumerable<string> Settings => [$"seed {Seed}"];

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
}
