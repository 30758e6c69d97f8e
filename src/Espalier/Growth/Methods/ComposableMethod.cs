using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Feed-forward units and layers that add nothing as yet, each by its own exact step (composable function-preserving expansions, arXiv
/// 2308.06103).
/// </summary>
public sealed record ComposableConfig : StagedSizesConfig
{
    /// <inheritdoc/>
    public override string Name => "composable";

    private protected override GrownSizes Grows => GrownSizes.Depth;

    private protected override MomentPolicy DefaultMoments => MomentPolicy.Keep;

    private protected override string Reaches => "grow the feed-forward layer and the layers; hidden size and heads where norms take no mean, as in a Llama";

    internal override GrowthOperator Growth(ModelConfig from, ModelConfig to, ulong seed) => new Composable { Count = to.Layers }.To(to);
}
