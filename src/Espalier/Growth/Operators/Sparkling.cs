using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Width in the midst of training (SPARKLING, arXiv 2602.02472). Units are copied in turn, and all that is read of a grown axis
/// is multiplied by one number, which keeps the size of the activations: 1/2 for twice the units. What was there keeps its
/// optimizer state, and what is new starts with none: that tells the copies apart. The paper warms the learning rate of the new
/// parameters up again, from 1 to 1.3 times its value over 250 steps: <see cref="Rewarm"/> with <see cref="RewarmScope.New"/>.
/// </summary>
/// <remarks>
/// With whole rounds this computes what <see cref="HyperCloning"/> does, exactly, with layer norm too. An unfinished round keeps
/// the root mean square of independent sums, not the sums; layer norm besides counts some units more often.
/// </remarks>
public sealed record Sparkling : CloneWidth
{
    /// <summary>Keeps the optimizer's state where it was.</summary>
    public Sparkling() => Moments = MomentPolicy.Keep;

    /// <inheritdoc/>
    protected override string Name => "sparkling";

    /// <inheritdoc/>
    protected override AxisMap Units(AxisKind kind, int before, int after)
    {
        // With c new units for each old one, up to 1, the share c of all sums is doubled: their mean square grows by 1 + 3c.
        double more = ((double)after / before) - 1, share = more <= 1 ? 1 / Math.Sqrt(1 + (3 * more)) : 1 / (1 + more);
        return new AxisMap([.. AxisMap.Rounds(before, after).Units.Select(unit => unit with { Share = share })]);
    }
}
