namespace Espalier.Growth;

/// <summary>
/// As <see cref="MidasConfig"/>, but of an even number of blocks the layers around the middle are copied, half of each of the two
/// blocks that meet there (LIDAS, arXiv 2512.08819).
/// </summary>
public sealed record LidasConfig : MiddleGrowthConfig
{
    /// <inheritdoc/>
    public override string Name => "lidas";

    private protected override int[] Copies(int stored, int wanted) => LayerMap.MiddleLayers(stored, wanted);
}
