using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Width in the midst of training. What was there keeps its optimizer state and its learning rate; what is new begins without any, at a
/// rate that rises to 1.3 times the schedule's within 250 steps (SPARKLING, arXiv 2602.02472).
/// </summary>
public sealed record SparklingConfig : StagedSizesConfig
{
    /// <inheritdoc/>
    public override string Name => "sparkling";

    private protected override GrownSizes Grows => GrownSizes.Width;

    private protected override MomentPolicy DefaultMoments => MomentPolicy.Keep;

    private protected override RewarmChoice DefaultRewarm => new RewarmChoice(Duration.Steps(250), From: 1, To: 1.3, RewarmScope.New);

    private protected override string Reaches => "keep the size of a head, and leave the layers";

    internal override GrowthOperator Growth(ModelConfig from, ModelConfig to, ulong seed) =>
        new Sparkling().To(to);
}
