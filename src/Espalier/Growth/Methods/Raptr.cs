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
    public override MethodConfig Resolve(int layers)
    {
        int least = Math.Min(2, layers);
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
        var resolved = (RaptrConfig)Resolve(recipe.Layers);
        int[] stages = resolved.Stages;
        string text = ConfigValue.Format(stages);
        if (!recipe.IsClean("stages"))
        {
            yield break;
        }

        if (stages[0] < Math.Min(2, recipe.Layers))
        {
            yield return new ConfigProblem(
                "stages", $"{text} begins with {stages[0]} layers", "run at least 2, for the first and the last are always in");
        }
        else if (stages.Zip(stages.Skip(1)).Any(pair => pair.First >= pair.Second))
        {
            yield return new ConfigProblem("stages", $"{text} does not increase", "each stage runs more layers than the one before");
        }
        else if (stages[^1] != recipe.Layers)
        {
            yield return new ConfigProblem(
                "stages", $"{text} ends with {stages[^1]} layers where the model has {recipe.LayersKey} {recipe.Layers}",
                $"end with {recipe.Layers}");
        }
        else if (recipe.IsClean("boundaries")
            && StagedDepthConfig.ProblemOfBoundaries(stages, resolved.Boundaries, recipe.Run) is ConfigProblem problem)
        {
            yield return problem;
        }
    }

    /// <inheritdoc/>
    public override IProgressiveMethod Create(RunShape run) => new Method((RaptrConfig)Resolve(run.FinalModel.Layers), run);

    private sealed class Method(RaptrConfig config, RunShape run) : IProgressiveMethod
    {
        public ModelConfig InitialModel => run.FinalModel;

        public ForwardPlan Plan(ModelConfig model, TrainingPosition position, int microBatch)
        {
            int stage = config.Boundaries.Count(boundary => run.Steps(boundary) <= position.Step);
            int last = model.Layers - 1, left = Math.Max(0, config.Stages[stage] - 2);
            var random = new CounterRandom(run.Seed, RandomPurpose.Depth, position.Step);

            // Of the layers between, every subset of that size is as likely as any other.
            List<int> path = [0];
            for (int layer = 1; layer < last; layer++)
            {
                if (random.NextBelow((ulong)(last - layer), (uint)layer) < (ulong)left)
                {
                    path.Add(layer);
                    left--;
                }
            }

            return ForwardPlan.Of(last > 0 ? path.Append(last) : path);
        }

        public ForwardPlan EvaluationPlan(ModelConfig model) => ForwardPlan.Plain(model.Layers);

        public GrowthStep? Next(ModelConfig model, TrainingPosition position) => null;
    }
}
