using System.ComponentModel.DataAnnotations;
using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Depth and width by a linear map that is learned on the batches that the run meets next, and charged to it; then a new optimizer
/// (LiGO, arXiv 2303.00980).
/// </summary>
public sealed record LigoConfig : StagedSizesConfig
{
    /// <inheritdoc/>
    public override string Name => "ligo";

    /// <summary>`map_steps`: updates of the map. Default 100.</summary>
    [Range(0, 1_000_000)]
    public int MapSteps { get; init; } = 100;

    /// <summary>`map_rate`: their learning rate. Default 3e-4.</summary>
    [Range(0.0, 100.0)]
    public double MapRate { get; init; } = 3e-4;

    /// <summary>`map_layers`: what the map of layers begins as: stack or interpolate. Default stack.</summary>
    public LayerMapKind MapLayers { get; init; } = LayerMapKind.Stack;

    private protected override GrownSizes Grows => GrownSizes.Depth | GrownSizes.Width;

    private protected override MomentPolicy DefaultMoments => MomentPolicy.Reset;

    private protected override string Reaches => "keep the size of a head";

    /// <summary>Depth alone where query heads share keys and values, for which there is no map of width.</summary>
    private protected override IEnumerable<ModelConfig> DefaultStages(ModelConfig final) =>
        FromHalf(final, final.HeadGroups == final.Heads ? Grows : GrownSizes.Depth);

    internal override GrowthOperator Growth(ModelConfig from, ModelConfig to, ulong seed) => new Ligo
    {
        LayerCount = to.Layers, Steps = MapSteps, LearningRate = MapRate, Depth = MapLayers, Seed = seed,
    }.To(to);

    /// <inheritdoc/>
    internal override IEnumerable<ConfigProblem> Check(MethodSurroundings recipe) =>
        !recipe.IsClean("moments") || Moments is null or MomentPolicy.Reset ? base.Check(recipe) :
        [
            new ConfigProblem(
                "moments", $"a learned map has no `{ConfigKeys.Kebab(Moments.Value)}`", "leave it out: what the optimizer remembers is reset"),
        ];
}
