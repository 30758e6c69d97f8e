using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>Which units new ones copy.</summary>
public enum UnitSources
{
    /// <summary>All in turn, from the first.</summary>
    Cyclic,

    /// <summary>Any, drawn for each new unit.</summary>
    Random,
}

/// <summary>
/// Each new unit is a copy of an old one, and what reads a unit is divided by how many of it there are (Net2Net,
/// arXiv 1511.05641; bert2BERT's function-preserving initialisation, arXiv 2110.07143; its other kind is <see cref="Aki"/>).
/// </summary>
public sealed record Net2Net : CloneWidth
{
    /// <summary>Which units new ones copy. Random ones are rarely copied equally often, which layer norms notice.</summary>
    public UnitSources Sources { get; init; } = UnitSources.Cyclic;

    /// <summary>Of the random sources.</summary>
    public ulong Seed { get; init; }

    /// <inheritdoc/>
    protected override string Name => "net2net";

    /// <inheritdoc/>
    protected override IEnumerable<string> Settings =>
        [$"sources {ConfigKeys.Kebab(Sources)}", .. Sources == UnitSources.Random ? [$"seed {Seed}"] : Array.Empty<string>()];

    /// <inheritdoc/>
    protected override AxisMap Units(AxisKind kind, int before, int after)
    {
        if (Sources == UnitSources.Cyclic)
        {
            return ShareAlike(AxisMap.Rounds(before, after));
        }

        var random = new CounterRandom(Seed, RandomPurpose.Growth, (long)kind);
        return ShareAlike(AxisMap.Copies(Enumerable.Range(0, after).Select(
            unit => unit < before ? unit : (int)random.NextBelow((ulong)before, (uint)unit))));
    }
}
