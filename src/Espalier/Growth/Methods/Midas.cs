namespace Espalier.Growth;

/// <summary>
/// Again and again the middle one of the blocks that are there stands twice, right after itself (MIDAS, arXiv 2409.19044). A block
/// has as many layers as a stage adds.
/// </summary>
public sealed record MidasConfig : MiddleGrowthConfig
{
    /// <inheritdoc/>
    public override string Name => "midas";

    private protected override int[] Copies(int stored, int wanted) => LayerMap.MiddleBlock(stored, wanted);
}
