using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>What the methods have in common that grow from stage to stage.</summary>
public abstract record StagedGrowthConfig : MethodConfig
{
    /// <summary>
    /// `boundaries`: when each stage but the first begins, one fewer than stages: at a point of the run, or when the loss says so. Empty:
    /// the method's own (<see cref="MethodConfig.Resolve"/> fills it in; a recipe that was read from a file has it filled in).
    /// </summary>
    public GrowthTrigger[] Boundaries { get; init; } = [];

    /// <summary>`moments`: keep, map or reset what the optimizer remembers at a boundary. Null: the method's own.</summary>
    public MomentPolicy? Moments { get; init; }

    /// <summary>`schedule`: where the learning rate's schedule goes on after a growth. Null: the method's own, mostly continue.</summary>
    public ScheduleMove? Schedule { get; init; }

    /// <summary>`rewarm`: rise of the learning rate after each growth. Null: the method's own, mostly 0 steps: none.</summary>
    public RewarmChoice? Rewarm { get; init; }

    internal override bool WaitsForLoss => Array.Exists(Boundaries, boundary => boundary.Loss is not null);

    internal override MethodConfig AtItsDearest => this with
    {
        Boundaries = [.. Boundaries.Select(boundary => boundary.Loss is null ? boundary : Duration.Steps(0))],
    };

    private protected abstract MomentPolicy DefaultMoments { get; }

    private protected virtual ScheduleMove DefaultSchedule => ScheduleMove.Continue;

    private protected virtual RewarmChoice DefaultRewarm => RewarmChoice.None;

    /// <summary>The model of each stage. Asked where stages are filled in and right.</summary>
    /// <param name="final">The last.</param>
    /// <exception cref="UserErrorException">A stage has sizes that no model has.</exception>
    internal abstract IReadOnlyList<ModelConfig> Models(ModelConfig final);

    /// <summary>How the state grows from one stage to the next; what becomes of the moments is set besides.</summary>
    /// <param name="from">The model before.</param>
    /// <param name="to">The model then.</param>
    /// <param name="seed">Of what the operator draws; of the run.</param>
    internal abstract GrowthOperator Growth(ModelConfig from, ModelConfig to, ulong seed);

    /// <summary>The same with what is alike for all methods filled in.</summary>
    private protected StagedGrowthConfig Filled() => this with
    {
        Moments = Moments ?? DefaultMoments,
        Schedule = Schedule ?? DefaultSchedule,
        Rewarm = Rewarm ?? DefaultRewarm,
    };

    /// <inheritdoc/>
    internal override IEnumerable<ConfigProblem> Check(MethodSurroundings recipe)
    {
        RewarmChoice rewarm = Rewarm ?? DefaultRewarm;
        if (recipe.Run is { } run && run.Steps(rewarm.Length) > run.TotalSteps)
        {
            yield return new ConfigProblem(
                "rewarm", $"`{rewarm.Length}` is longer than the run of {run.TotalSteps} steps",
                "shorten it, or lengthen training.length", "name");
        }
    }
}

/// <summary>Grows from stage to stage, and executes the stored layers; others draw what they execute.</summary>
internal class StagedGrowth : IProgressiveMethod, IKnownPlans
{
    private readonly StagedGrowthConfig _config;
    private readonly RunShape _run;
    private readonly IReadOnlyList<ModelConfig> _models;
    private readonly Rewarm? _rewarm;

    public StagedGrowth(StagedGrowthConfig config, RunShape run)
    {
        _config = (StagedGrowthConfig)config.Resolve(run.FinalModel);
        (_run, _models, _rewarm) = (run, _config.Models(run.FinalModel), _config.Rewarm!.In(run));
    }

    public ModelConfig InitialModel => _models[0];

    protected int FinalLayers => _run.FinalModel.Layers;

    protected ulong Seed => _run.Seed;

    /// <summary>The model of a stage, from 0.</summary>
    protected ModelConfig Stage(int index) => _models[index];

    public virtual ForwardPlan Plan(ModelConfig model, TrainingPosition position, int microBatch) =>
        ForwardPlan.Plain(model.Layers);

    public virtual IReadOnlyList<(double Probability, ForwardPlan Plan)> Plans(ModelConfig model, TrainingPosition position) =>
        [(1, Plan(model, position, 0))];

    public virtual ForwardPlan EvaluationPlan(ModelConfig model, TrainingPosition position) => ForwardPlan.Plain(model.Layers);

    public GrowthStep? Next(ModelConfig model, TrainingPosition position)
    {
        int done = position.Growths.Count;
        return done < _config.Boundaries.Length && IsDue(_config.Boundaries[done], position)
            ? new GrowthStep(
                _config.Growth(model, _models[done + 1], _run.Seed) with { Moments = _config.Moments!.Value },
                _config.Schedule!.Kind == ScheduleMoveKind.Continue ? null : _config.Schedule.From(position.ScheduleStep, _run),
                _rewarm)
            : null;
    }

    /// <summary>A rule of the loss is asked when the curve has another point.</summary>
    private bool IsDue(GrowthTrigger trigger, TrainingPosition position) =>
        _run.Steps(trigger.Latest) <= position.Step
        || (trigger.Loss is LossRule rule && position.Losses.PendingSteps == 0 && rule.IsMet(CurveOfStage(position)));

    /// <summary>
    /// The loss since the last growth, once the learning rate is up again, over the updates that the model from scratch would have had:
    /// the schedule has been put there.
    /// </summary>
    private (double Steps, double Loss)[] CurveOfStage(TrainingPosition position)
    {
        GrowthRecord? last = position.Growths.LastOrDefault();
        long begin = last?.Step ?? 0, settled = last is null ? 0 : begin + (_rewarm?.Steps ?? 0);
        double had = last is null ? 0 : _config.Schedule!.From(last.ScheduleStep, _run);
        return
        [
            .. position.Losses.Points.Where(point => point.Step > settled).Select(point => (had + point.Step - begin, point.Loss)),
        ];
    }
}
