using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// The whole model from the first step, of which each update runs a path of layers drawn at random, longer from stage to stage; the
/// first and the last layer are always on it (RAPTR, arXiv 2402.05913). Measured, every layer runs.
/// </summary>
public sealed record RaptrConfig : MethodConfig
{
    /// <inheritdoc/>
    public override string Name => "raptr";

    /// <summary>`stages`: layers that run in each stage, increasing, all in the last. Empty: a half, two thirds, five sixths, all.</summary>
    public int[] Stages { get; init; } = [];

    /// <summary>`boundaries`: where in the run each stage but the first begins. Empty: stages of equal length.</summary>
    public Duration[] Boundaries { get; init; } = [];

    /// <inheritdoc/>
    public override MethodConfig Resolve(ModelConfig final)
    {
        ArgumentNullException.ThrowIfNull(final);
        int layers = final.Layers, least = Math.Min(2, layers);
        int[] stages = Stages.Length > 0 ? Stages
            : [.. new[] { 3, 4, 5, 6 }.Select(sixths => Math.Max(least, sixths * layers / 6)).Distinct()];
        return this with
        {
            Stages = stages,
            Boundaries = Boundaries.Length > 0 ? Boundaries
                : [.. Enumerable.Range(1, stages.Length - 1).Select(i => Duration.Percent(100.0 * i / stages.Length))],
        };
    }

    /// <inheritdoc/>
    internal override IEnumerable<ConfigProblem> Check(MethodSurroundings recipe)
    {
        var resolved = (RaptrConfig)Resolve(recipe.Model);
        if (!recipe.IsClean("stages"))
        {
            yield break;
        }

        if (StageChecks.OfStages(
            resolved.Stages, recipe, Math.Min(2, recipe.Layers), "run at least 2, for the first and the last are always in", "runs")
            is ConfigProblem ofStages)
        {
            yield return ofStages;
        }
        else if (recipe.IsClean("boundaries")
            && StageChecks.OfBoundaries([.. resolved.Stages], [.. resolved.Boundaries], recipe.Run) is ConfigProblem ofBoundaries)
        {
            yield return ofBoundaries;
        }
    }

    /// <inheritdoc/>
    public override IProgressiveMethod Create(RunShape run) => new Method((RaptrConfig)Resolve(run.FinalModel), run);

    private sealed class Method(RaptrConfig config, RunShape run) : IProgressiveMethod, IKnownPlans
    {
        public ModelConfig InitialModel => run.FinalModel;

        public ForwardPlan Plan(ModelConfig model, TrainingPosition position, int microBatch)
        {
            int stage = config.Boundaries.Count(boundary => run.Steps(boundary) <= position.Step);
            int last = model.Layers - 1, between = Math.Max(0, last - 1);
            var random = new CounterRandom(run.Seed, RandomPurpose.Depth, position.Step);
            int[] path = random.Subset(Math.Clamp(config.Stages[stage] - 2, 0, between), between);
            return ForwardPlan.Of([0, .. path.Select(layer => layer + 1), .. last > 0 ? [last] : Array.Empty<int>()]);
        }

        /// <summary>Every path of a stage is as long as any other.</summary>
        public IReadOnlyList<(double Probability, ForwardPlan Plan)> Plans(ModelConfig model, TrainingPosition position) =>
            [(1, Plan(model, position, 0))];

        public ForwardPlan EvaluationPlan(ModelConfig model, TrainingPosition position) => ForwardPlan.Plain(model.Layers);

        public GrowthStep? Next(ModelConfig model, TrainingPosition position) => null;
    }
}
