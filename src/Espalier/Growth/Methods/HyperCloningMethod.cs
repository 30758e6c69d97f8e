using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Width by whole models side by side, which together compute what one did (HyperCloning, arXiv 2409.12903). The paper grows models that
/// have been trained to their end, and trains on with a learning rate's schedule of its own.
/// </summary>
public sealed record HyperCloningConfig : StagedSizesConfig
{
    /// <inheritdoc/>
    public override string Name => "hyper-cloning";

    /// <summary>`noise`: signal-to-noise ratio of noise that tells copies apart, in decibels; null for none.</summary>
    public double? Noise { get; init; }

    private protected override GrownSizes Grows => GrownSizes.Width;

    private protected override MomentPolicy DefaultMoments => MomentPolicy.Map;

    private protected override ScheduleMove DefaultSchedule => ScheduleMove.Restart;

    private protected override string Reaches => "grow hidden size, heads and feed-forward width to multiples, and leave the layers";

    internal override GrowthOperator Growth(ModelConfig from, ModelConfig to, ulong seed) =>
        new HyperCloning { Noise = Noise, Seed = seed }.To(to);
}
