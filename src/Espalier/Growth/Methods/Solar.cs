namespace Espalier.Growth;

/// <summary>
/// Two copies of the model one above the other, where they meet without their last and first layers, then a new optimizer and the
/// learning rate's schedule from its beginning (depth up-scaling: SOLAR, arXiv 2312.15166).
/// </summary>
public sealed record SolarConfig : StagedDepthConfig
{
    /// <inheritdoc/>
    public override string Name => "solar";

    private protected override MomentPolicy DefaultMoments => MomentPolicy.Reset;

    private protected override bool AtMostDoubles => true;

    private protected override ScheduleMove DefaultSchedule => ScheduleMove.Restart;

    /// <summary>Two thirds of the layers, as the paper's 32 of 48, half-way.</summary>
    private protected override (int, double)[] DefaultStages(int layers) => [(2 * layers / 3, 0), (layers, 50)];

    internal override GrowthOperator Growth(int stored, int wanted) => new CopyLayers(LayerMap.Overlap(stored, wanted));

    /// <inheritdoc/>
    public override IProgressiveMethod Create(RunShape run) => new StagedDepth(this, run);
}
