using Espalier.Torch;

namespace Espalier.Models;

/// <summary>How far the units of an axis are open: the first ones wholly, the rest to a share.</summary>
/// <param name="Open">The units that are wholly open, from the front.</param>
/// <param name="Rest">The share of the others, from 0, closed, to 1, open.</param>
public readonly record struct UnitMask(int Open, double Rest);

/// <summary>
/// A mask over the widths of a model, with which new units open bit by bit (MSG, arXiv 2305.02869): what is
/// closed is as if it were not there, in norms too.
/// </summary>
/// <param name="Hidden">Units of the residual stream; null for all open.</param>
/// <param name="Heads">Attention heads, those that share keys and values counted as one; null for all open.</param>
/// <param name="Ffn">Units of the feed-forward layer; null for all open.</param>
public sealed record WidthMask(UnitMask? Hidden = null, UnitMask? Heads = null, UnitMask? Ffn = null)
{
    /// <summary>The share of each element along an axis of a model, (size of the axis); null where all are open.</summary>
    internal Tensor? Shares(AxisKind kind, ModelConfig config, Device device)
    {
        UnitMask? mask = kind switch
        {
            AxisKind.Hidden => Hidden,
            AxisKind.Heads => Heads,
            AxisKind.Ffn => Ffn,
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "has no mask"),
        };
        if (mask is not UnitMask { Open: int open, Rest: double rest })
        {
            return null;
        }

        int units = config.UnitsOf(kind), unitSize = kind == AxisKind.Heads ? config.Heads / config.HeadGroups * config.HeadSize : 1;
        float[] shares = [.. Enumerable.Range(0, units * unitSize).Select(i => i / unitSize < open ? 1f : (float)rest)];
        return Tensor.From<float>(shares, [shares.Length], device);
    }
}
