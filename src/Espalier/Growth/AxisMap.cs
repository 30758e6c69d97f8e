using Espalier.Models;

namespace Espalier.Growth;

/// <summary>Where a unit of a grown axis comes from.</summary>
/// <param name="Source">The old unit that it is made from.</param>
/// <param name="Copy">Which copy of it: 0 is the old unit itself, all others are new.</param>
/// <param name="Share">What it gives of what its source gave, where copies share a task: of all copies together 1.</param>
public readonly record struct UnitOrigin(int Source, int Copy, double Share = 1);

/// <summary>For every unit of a grown axis, where it comes from.</summary>
/// <param name="Units">By unit of the new axis.</param>
public sealed record AxisMap(IReadOnlyList<UnitOrigin> Units)
{
    /// <summary>Every unit again and again, whole rounds one after the other.</summary>
    /// <param name="units">The units before.</param>
    /// <param name="times">How often.</param>
    public static AxisMap Repeat(int units, int times) =>
        new([.. Enumerable.Range(0, units * times).Select(unit => new UnitOrigin(unit % units, unit / units))]);

    /// <summary>Every unit as it is.</summary>
    internal static AxisMap Same(int units) => Repeat(units, 1);

    /// <summary>For each element along the grown axis, the element of the old one that it is made from.</summary>
    internal long[] SourceElements(Axis before, Axis after)
    {
        AxisMap map = this;
        return [.. after.UnitOfElement.Select((unit, element) =>
        {
            int inUnit = element % after.UnitSize, part = element / (after.UnitSize * after.Units);
            return (((long)part * before.Units) + map.Units[unit].Source) * before.UnitSize + inUnit;
        })];
    }

    /// <summary>The elements along the grown axis that are new.</summary>
    internal int[] NewElements(Axis after)
    {
        AxisMap map = this;
        return [.. after.UnitOfElement.Select((unit, element) => (unit, element))
            .Where(pair => map.Units[pair.unit].Copy > 0).Select(pair => pair.element)];
    }
}
