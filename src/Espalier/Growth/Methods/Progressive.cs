namespace Espalier.Growth;

/// <summary>
/// Plain progressive training: the stored layers run once each, and from time to time there are more. Apollo's stages without
/// its lessons.
/// </summary>
public sealed record ProgressiveConfig : StagedDepthConfig
{
    /// <inheritdoc/>
    public override string Name => "progressive";

    /// <summary>
    /// `sharing_map`: which stored layer each layer of the full depth uses where the model is measured before it is grown:
    /// interpolate, stack, or a list of stored layers. Default interpolate.
    /// </summary>
    public LayerMapChoice SharingMap { get; init; } = LayerMapChoice.Interpolate;

    /// <summary>`growth_map`: which old layer each layer of the next stage is a copy of. Default interpolate.</summary>
    public LayerMapKind GrowthMap { get; init; }

    internal override LayerMapKind CopiesBy => GrowthMap;

    internal override LayerMapChoice SharesBy => SharingMap;

    private protected override MomentPolicy DefaultMoments => MomentPolicy.Keep;

    private protected override (int, double)[] DefaultStages(int layers) => ApolloConfig.ReleasedStages(layers);

    /// <inheritdoc/>
    public override IProgressiveMethod Create(RunShape run) => new StagedDepth(this, run);

    /// <inheritdoc/>
    internal override IEnumerable<Configuration.ConfigProblem> Check(MethodSurroundings recipe) =>
        base.Check(recipe).Concat(SharingMap.Check(recipe, this));
}
