using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>What the methods have in common that store more layers at planned points of the run.</summary>
public abstract record StagedDepthConfig : MethodConfig
{
    /// <summary>
    /// `stages`: stored layers of each stage, increasing, the last being the final model's. Empty: the method's own
    /// (<see cref="Resolve"/> fills it in; a recipe that was read from a file has it filled in).
    /// </summary>
    public int[] Stages { get; init; } = [];

    /// <summary>
    /// `boundaries`: where in the run each stage but the first begins, one fewer than stages. Filled in like
    /// <see cref="Stages"/>.
    /// </summary>
    public Duration[] Boundaries { get; init; } = [];

    /// <summary>`moments`: keep, map or reset what the optimizer remembers at a boundary. Null: the method's own.</summary>
    public MomentPolicy? Moments { get; init; }

    /// <summary>`rewarm`: linear rise of the learning rate from 0 after each growth. Default 0 steps: none.</summary>
    public Duration Rewarm { get; init; } = Duration.Steps(0);

    /// <summary>How the layers of the next stage are copies of those before.</summary>
    internal virtual LayerMapKind CopiesBy => LayerMapKind.Interpolate;

    /// <summary>How the state grows from one stage to the next; what becomes of the moments is set besides.</summary>
    /// <param name="stored">The layers before.</param>
    /// <param name="wanted">The layers then.</param>
    internal virtual GrowthOperator Growth(int stored, int wanted) => new CopyLayers(wanted, CopiesBy);

    /// <summary>How stored layers serve as more where more are executed; null where they never do, not even measured.</summary>
    internal virtual LayerMapChoice? SharesBy => null;

    private protected abstract MomentPolicy DefaultMoments { get; }

    /// <inheritdoc/>
    public override MethodConfig Resolve(int layers)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(layers, 1);
        (int[] stages, Duration[] boundaries) = Distinct(DefaultStages(layers));
        if (Stages.Length > 0)
        {
            // Own stages with the method's own boundaries only work out where their numbers agree.
            stages = Stages;
            boundaries = boundaries.Length == stages.Length - 1 ? boundaries : [];
        }

        return this with
        {
            Stages = stages,
            Boundaries = Boundaries.Length > 0 ? Boundaries : boundaries,
            Moments = Moments ?? DefaultMoments,
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
    private static (int[] Stages, Duration[] Boundaries) Distinct((int Layers, double Percent)[] stages)
    {
        var kept = stages.Where((stage, i) =>
            stage.Layers > 0 && (i == stages.Length - 1 || stage.Layers < stages[i + 1].Layers)).ToArray();
        return (
            [.. kept.Select(stage => stage.Layers)],
            [.. kept.Skip(1).Select(stage => Duration.Percent(stage.Percent))]);
    }

    /// <inheritdoc/>
    internal override IEnumerable<ConfigProblem> Check(MethodSurroundings recipe)
    {
        var resolved = (StagedDepthConfig)Resolve(recipe.Layers);
        if (recipe.Run is { } run && run.Steps(Rewarm) > run.TotalSteps)
        {
            yield return new ConfigProblem(
                "rewarm", $"`{Rewarm}` is longer than the run of {run.TotalSteps} steps",
                "shorten it, or lengthen training.length");
        }

        if (!recipe.IsClean("stages"))
        {
            yield break;
        }

        if (StageChecks.OfStages(resolved.Stages, recipe) is ConfigProblem ofStages)
        {
            yield return ofStages;
            yield break;
        }

        if (recipe.IsClean("boundaries") && StageChecks.OfBoundaries(resolved.Stages, resolved.Boundaries, recipe.Run) is ConfigProblem ofBoundaries)
        {
            yield return ofBoundaries;
        }
    }
}

/// <summary>Stores more layers at planned points of the run, and executes the stored ones; others draw what they execute.</summary>
internal class StagedDepth : IProgressiveMethod, IKnownPlans
{
    private readonly StagedDepthConfig _config;
    private readonly long[] _boundaries;
    private readonly Rewarm? _rewarm;

    public StagedDepth(StagedDepthConfig config, RunShape run)
    {
        _config = (StagedDepthConfig)config.Resolve(run.FinalModel.Layers);
        (FinalLayers, Seed) = (run.FinalModel.Layers, run.Seed);
        InitialModel = run.FinalModel with { Layers = _config.Stages[0] };
        _boundaries = [.. _config.Boundaries.Select(run.Steps)];
        long rewarm = run.Steps(_config.Rewarm);
        _rewarm = rewarm > 0 ? new Rewarm(rewarm) : null;
    }

    public ModelConfig InitialModel { get; }

    protected int FinalLayers { get; }

    protected ulong Seed { get; }

    public virtual ForwardPlan Plan(ModelConfig model, TrainingPosition position, int microBatch) =>
        ForwardPlan.Plain(model.Layers);

    public virtual IReadOnlyList<(double Probability, ForwardPlan Plan)> Plans(ModelConfig model, TrainingPosition position) =>
        [(1, Plan(model, position, 0))];

    public ForwardPlan EvaluationPlan(ModelConfig model) => Share(model.Layers, FinalLayers);

    public GrowthStep? Next(ModelConfig model, TrainingPosition position)
    {
        int done = position.Growths.Count;
        return done < _boundaries.Length && _boundaries[done] <= position.Step
            ? new GrowthStep(
                _config.Growth(model.Layers, _config.Stages[done + 1]) with { Moments = _config.Moments!.Value }, Rewarm: _rewarm)
            : null;
    }

    /// <summary>Stored layers that serve as more.</summary>
    protected ForwardPlan Share(int stored, int executed) => stored == FinalLayers || _config.SharesBy is not { } map
        ? ForwardPlan.Plain(stored)
        : ForwardPlan.Of(map.Build(stored, executed, FinalLayers));
}
