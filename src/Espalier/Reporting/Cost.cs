using Espalier.Training;

namespace Espalier.Reporting;

/// <summary>What some training cost.</summary>
/// <param name="Flops">FLOPs with the vocabulary head.</param>
/// <param name="FlopsWithoutHead">FLOPs without it, as BERT papers often count.</param>
/// <param name="Seconds">Wall seconds of training steps.</param>
public readonly record struct Cost(double Flops, double FlopsWithoutHead, double Seconds)
{
    /// <summary>What a run has cost up to a row.</summary>
    public static Cost Of(MetricsRow row) =>
        new(row.Flops.Total, row.Flops.Layers + row.Flops.Attention, row.Seconds);

    /// <summary>The cost at <paramref name="share"/> (0..1) of the way from <paramref name="from"/> to <paramref name="to"/>.</summary>
    internal static Cost Between(Cost from, Cost to, double share) => new(
        double.Lerp(from.Flops, to.Flops, share),
        double.Lerp(from.FlopsWithoutHead, to.FlopsWithoutHead, share),
        double.Lerp(from.Seconds, to.Seconds, share));
}
