namespace Espalier.Growth;

/// <summary>
/// Doubling by stacking, a quarter of the layers to begin with, the optimizer started anew each time (StackBERT, Gong et al.
/// 2019).
/// </summary>
public sealed record StackBertConfig : StagedDepthConfig
{
    /// <inheritdoc/>
    public override string Name => "stack-bert";

    internal override LayerMapKind CopiesBy => LayerMapKind.Stack;

    internal override LayerMapChoice SharesBy => LayerMapChoice.Stack;

    private protected override MomentPolicy DefaultMoments => MomentPolicy.Reset;

    /// <summary>The doublings of Apollo's comparison: at 10 and 25 % of the run.</summary>
    private protected override (int, double)[] DefaultStages(int layers) =>
        [(layers / 4, 0), (layers / 2, 10), (layers, 25)];

    /// <inheritdoc/>
    public override IProgressiveMethod Create(RunShape run) => new StagedDepth(this, run);
}
