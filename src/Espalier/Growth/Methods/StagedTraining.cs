using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Doubles depth, width or both, such that the model computes what it did, once its loss falls too slowly; the schedule then goes back to
/// where the larger model from scratch would have the same loss, and the learning rate rises anew (Staged Training, arXiv 2203.06211).
/// </summary>
public sealed record StagedTrainingConfig : StagedSizesConfig
{
    /// <inheritdoc/>
    public override string Name => "staged-training";

    /// <summary>`new_layers`: where new layers stand: interpolate, each above its source, or stack, all above. Default interpolate.</summary>
    public LayerMapKind NewLayers { get; init; }

    private protected override GrownSizes Grows => GrownSizes.Depth;

    private protected override MomentPolicy DefaultMoments => MomentPolicy.Map;

    private protected override RewarmChoice DefaultRewarm => Duration.Steps(150);

    private protected override string Reaches => "double the width and what depth you like; what is not doubled must stay";

    /// <inheritdoc/>
    public override MethodConfig Resolve(ModelConfig final)
    {
        var resolved = (StagedTrainingConfig)base.Resolve(final);
        IReadOnlyList<ModelConfig> models = resolved.ModelsIfRight(final);

        // The ratio of the updates that both models need for the same loss, as the paper measured it; of the first growth.
        double rho = models.Count > 1 ? OfKind(models[0], models[1], depth: 1.412, width: 1.776, both: 2.455) : 1;
        return resolved with { Schedule = Schedule ?? ScheduleMove.Rewind(rho) };
    }

    internal override GrowthOperator Growth(ModelConfig from, ModelConfig to, ulong seed) =>
        InTurn.Of(from, to, () => new DoubleWidth(), () => new IdentityLayers(to.Layers, NewLayers));

    /// <summary>The slope that the paper measured to be the best to grow at, for what grows; half-way at the latest, that is ours.</summary>
    private protected override GrowthTrigger DefaultBoundary(ModelConfig from, ModelConfig to, int growth, int growths) => new(
        Duration.Percent(100.0 * growth / (growths + 1)),
        new LossRule(LossRuleKind.Slope, OfKind(from, to, depth: -0.0575, width: -0.0475, both: -0.03)));

    private static double OfKind(ModelConfig from, ModelConfig to, double depth, double width, double both) =>
        GrowthSize.Difference(from, to) switch
        {
            GrownSizes.Width => width,
            GrownSizes.Depth => depth,
            _ => both,
        };
}
