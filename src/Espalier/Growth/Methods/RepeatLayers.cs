using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// From a point of the run on, the layers in the middle run twice, sharing their weights; later the two become two layers. Growth by
/// copies is then the untying of what has already been shared, and changes nothing that the model computes.
/// </summary>
public sealed record RepeatLayersConfig : StagedDepthConfig
{
    /// <inheritdoc/>
    public override string Name => "repeat-layers";

    /// <summary>`repeat_from`: where the layers in the middle begin to run twice; before the boundary. Default 35 %.</summary>
    public Duration RepeatFrom { get; init; } = Duration.Percent(35);

    private protected override MomentPolicy DefaultMoments => MomentPolicy.Map;

    private protected override bool AtMostDoubles => true;

    /// <summary>A third of the layers is not stored until three quarters of the run have passed.</summary>
    private protected override (int, double)[] DefaultStages(int layers) => [(2 * layers / 3, 0), (layers, 75)];

    internal override GrowthOperator Growth(int stored, int wanted) => new CopyLayers(LayerMap.MiddleBlock(stored, wanted));

    /// <inheritdoc/>
    public override IProgressiveMethod Create(RunShape run) => new Method((RepeatLayersConfig)Resolve(run.FinalModel), run);

    /// <inheritdoc/>
    internal override IEnumerable<ConfigProblem> Check(MethodSurroundings recipe)
    {
        foreach (ConfigProblem problem in base.Check(recipe))
        {
            yield return problem;
        }

        var resolved = (RepeatLayersConfig)Resolve(recipe.Model);
        if (!recipe.IsClean("stages") || !recipe.IsClean("boundaries") || resolved.Boundaries.Length == 0)
        {
            yield break;
        }

        int[] stages = resolved.Stages;
        if (stages.Length > 2)
        {
            yield return new ConfigProblem(
                "stages", $"{ConfigValue.Format(stages)}: each layer runs once or twice", "take two stages");
        }
        else if (recipe.Run is { } run && run.Steps(RepeatFrom) > run.Steps(resolved.Boundaries[0].Latest))
        {
            yield return new ConfigProblem(
                "repeat_from", $"`{RepeatFrom}` is after `{resolved.Boundaries[0].Latest}`, where the layers are stored already",
                "give an earlier point");
        }
    }

    private sealed class Method(RepeatLayersConfig config, RunShape run) : StagedDepth(config, run)
    {
        private readonly long _repeatFrom = run.Steps(config.RepeatFrom);

        public override ForwardPlan Plan(ModelConfig model, TrainingPosition position, int microBatch) =>
            model.Layers < FinalLayers && position.Step >= _repeatFrom
                ? ForwardPlan.Of(LayerMap.MiddleBlock(model.Layers, FinalLayers))
                : ForwardPlan.Plain(model.Layers);

        public override ForwardPlan EvaluationPlan(ModelConfig model, TrainingPosition position) => Plan(model, position, 0);
    }
}
