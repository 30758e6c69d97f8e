using Espalier.Models;

namespace Espalier.Growth;

/// <summary>Where a unit of a grown axis comes from.</summary>
/// <param name="Source">The old unit that it is made from.</param>
/// <param name="Copy">Which copy of it: 0 is the old unit itself, all others are new.</param>
/// <param name="Share">What it gives of what its source gave, where copies share a task: of all copies together 1.</param>
public readonly record struct UnitOrigin(int Source, int Copy, double Share = 1)
{
    /// <summary>
    /// Whether the weights and biases that compute it are made from those of the layer above its own; in the highest layer, and
    /// outside of the layers, from its own.
    /// </summary>
    public bool IsFromAbove { get; init; }

    /// <summary>
    /// Whether it is the mean of all old units, in the place of <see cref="Source"/>. For kinds whose units are of one element,
    /// as hidden ones are.
    /// </summary>
    public bool IsMean { get; init; }

    /// <summary>The mean of all old units, which does what none of them did.</summary>
    public static UnitOrigin Mean { get; } = new(0, Copy: 1, Share: 0) { IsMean = true };
}

/// <summary>For every unit of a grown axis, where it comes from.</summary>
/// <param name="Units">By unit of the new axis.</param>
public sealed record AxisMap(IReadOnlyList<UnitOrigin> Units)
{
    /// <summary>Copies of old units: the first of each is the old unit itself.</summary>
    /// <param name="sources">For each unit, the old one.</param>
    public static AxisMap Copies(IEnumerable<int> sources)
    {
        var met = new Dictionary<int, int>();
        return new AxisMap(
        [
            .. sources.Select(source =>
            {
                int copy = met.GetValueOrDefault(source);
                met[source] = copy + 1;
                return new UnitOrigin(source, copy);
            }),
        ]);
    }

    /// <summary>The units in rounds, the last of which may end early.</summary>
    /// <param name="before">The units before.</param>
    /// <param name="after">The units then.</param>
    public static AxisMap Rounds(int before, int after) => Copies(Enumerable.Range(0, after).Select(unit => unit % before));

    /// <summary>Every unit as it is.</summary>
    internal static AxisMap Same(int units) => Rounds(units, units);

    /// <summary>
    /// For each element along the grown axis, the element of the old one that it is made from. Those of the layer above are
    /// counted on behind the layer's own, and so is the mean of all.
    /// </summary>
    internal long[] SourceElements(Axis before, Axis after)
    {
        AxisMap map = this;
        bool readsAbove = ReadsAbove(after);
        return [.. after.UnitOfElement.Select((unit, element) =>
        {
            UnitOrigin origin = map.Units[unit];
            if (origin.IsMean)
            {
                return before.Size;
            }

            int inUnit = element % after.UnitSize, part = element / (after.UnitSize * after.Units);
            return (((long)part * before.Units) + origin.Source) * before.UnitSize + inUnit
                + (readsAbove && origin.IsFromAbove ? before.Size : 0);
        })];
    }

    /// <summary>Whether there is a unit that is the mean of others.</summary>
    internal bool HasMean => Units.Any(unit => unit.IsMean);

    /// <summary>Whether units along an axis are computed by weights that are made from those of the layer above.</summary>
    internal bool ReadsAbove(Axis axis) => axis.Side == AxisSide.Output && Units.Any(unit => unit.IsFromAbove);

    /// <summary>The elements along the grown axis that are new.</summary>
    internal int[] NewElements(Axis after)
    {
        AxisMap map = this;
        return [.. after.UnitOfElement.Select((unit, element) => (unit, element))
            .Where(pair => map.Units[pair.unit].Copy > 0).Select(pair => pair.element)];
    }
}
