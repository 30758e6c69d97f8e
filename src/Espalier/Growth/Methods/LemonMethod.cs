using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Width by copies of units that share their task unequally, and depth by layers that add nothing as yet: the model computes what it did,
/// and its copies learn apart (LEMON, arXiv 2310.07999).
/// </summary>
public sealed record LemonConfig : StagedSizesConfig
{
    /// <inheritdoc/>
    public override string Name => "lemon";

    private protected override GrownSizes Grows => GrownSizes.Depth | GrownSizes.Width;

    private protected override MomentPolicy DefaultMoments => MomentPolicy.Map;

    private protected override string Reaches => "keep the size of a head";

    internal override GrowthOperator Growth(ModelConfig from, ModelConfig to, ulong seed) =>
        InTurn.Of(from, to, () => new Lemon { Seed = seed }.To(to), () => new ZeroOutputLayers(to.Layers));
}
