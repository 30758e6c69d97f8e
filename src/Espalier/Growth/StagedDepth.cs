using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>What the methods have in common that store more layers from stage to stage.</summary>
public abstract record StagedDepthConfig : StagedGrowthConfig
{
    /// <summary>
    /// `stages`: stored layers of each stage, increasing, the last being the final model's. Empty: the method's own
    /// (<see cref="Resolve"/> fills it in; a recipe that was read from a file has it filled in).
    /// </summary>
    public int[] Stages { get; init; } = [];

    /// <summary>How the layers of the next stage are copies of those before.</summary>
    internal virtual LayerMapKind CopiesBy => LayerMapKind.Interpolate;

    /// <summary>How the state grows from one stage to the next; what becomes of the moments is set besides.</summary>
    /// <param name="stored">The layers before.</param>
    /// <param name="wanted">The layers then.</param>
    internal virtual GrowthOperator Growth(int stored, int wanted) => new CopyLayers(wanted, CopiesBy);

    /// <summary>How stored layers serve as more where more are executed; null where they never do, not even measured.</summary>
    internal virtual LayerMapChoice? SharesBy => null;

    internal sealed override IReadOnlyList<ModelConfig> Models(ModelConfig final) =>
        [.. Stages.Select(layers => final with { Layers = layers })];

    internal sealed override GrowthOperator Growth(ModelConfig from, ModelConfig to, ulong seed) => Growth(from.Layers, to.Layers);

    /// <summary>The fewest layers that the first stage may have.</summary>
    private protected virtual int LeastLayers => 1;

    /// <summary>Whether a stage may have at most twice the layers of the one before.</summary>
    private protected virtual bool AtMostDoubles => false;

    /// <inheritdoc/>
    public override MethodConfig Resolve(ModelConfig final)
    {
        ArgumentNullException.ThrowIfNull(final);
        ArgumentOutOfRangeException.ThrowIfLessThan(final.Layers, 1);
        (int[] stages, GrowthTrigger[] boundaries) = Distinct(DefaultStages(final.Layers));
        if (Stages.Length > 0)
        {
            // Own stages with the method's own boundaries only work out where their numbers agree.
            stages = Stages;
            boundaries = boundaries.Length == stages.Length - 1 ? boundaries : [];
        }

        return (StagedDepthConfig)Filled() with
        {
            Stages = stages,
            Boundaries = Boundaries.Length > 0 ? Boundaries : boundaries,
        };
    }

    /// <summary>The method's own stages, and where each begins.</summary>
    private protected abstract (int Layers, double Percent)[] DefaultStages(int layers);

    /// <summary>A quarter of the layers more in each quarter of the run; none more than doubles them.</summary>
    private protected static (int Layers, double Percent)[] Quarters(int layers) =>
        [.. Enumerable.Range(1, 4).Select(i => (((i * layers) + 3) / 4, 25.0 * (i - 1)))];

    /// <summary>
    /// Rounding may have given stages of no layers, or of no more layers than the one before: of those that coincide the last
    /// remains, with the boundary that leads to it.
    /// </summary>
    private static (int[] Stages, GrowthTrigger[] Boundaries) Distinct((int Layers, double Percent)[] stages)
    {
        var kept = stages.Where((stage, i) =>
            stage.Layers > 0 && (i == stages.Length - 1 || stage.Layers < stages[i + 1].Layers)).ToArray();
        return (
            [.. kept.Select(stage => stage.Layers)],
            [.. kept.Skip(1).Select(stage => (GrowthTrigger)Duration.Percent(stage.Percent))]);
    }

    /// <inheritdoc/>
    internal override IEnumerable<ConfigProblem> Check(MethodSurroundings recipe)
    {
        foreach (ConfigProblem problem in base.Check(recipe))
        {
            yield return problem;
        }

        var resolved = (StagedDepthConfig)Resolve(recipe.Model);
        if (!recipe.IsClean("stages"))
        {
            yield break;
        }

        if (StageChecks.OfStages(resolved.Stages, recipe, LeastLayers) is ConfigProblem ofStages)
        {
            yield return ofStages;
            yield break;
        }

        int[] stages = resolved.Stages;
        if (AtMostDoubles
            && Enumerable.Range(1, stages.Length - 1).FirstOrDefault(i => stages[i] > 2L * stages[i - 1]) is int tooMany and > 0)
        {
            yield return new ConfigProblem(
                "stages", $"{ConfigValue.Format(stages)} grows from {stages[tooMany - 1]} to {stages[tooMany]} layers",
                "at most double them in each stage");
            yield break;
        }

        if (recipe.IsClean("boundaries") && StageChecks.OfBoundaries([.. resolved.Stages], resolved.Boundaries, recipe.Run) is ConfigProblem ofBoundaries)
        {
            yield return ofBoundaries;
        }
    }
}

/// <summary>Stores more layers from stage to stage, and measures the model at its full depth where stored layers can serve as it.</summary>
internal class StagedDepth(StagedDepthConfig config, RunShape run) : StagedGrowth(config, run)
{
    private readonly LayerMapChoice? _map = config.SharesBy;

    public override ForwardPlan EvaluationPlan(ModelConfig model, TrainingPosition position) => Share(model.Layers, FinalLayers);

    /// <summary>Stored layers that serve as more.</summary>
    protected ForwardPlan Share(int stored, int executed) => stored == FinalLayers || _map is null
        ? ForwardPlan.Plain(stored)
        : ForwardPlan.Of(_map.Build(stored, executed, FinalLayers));
}
