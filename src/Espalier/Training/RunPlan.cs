using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;

namespace Espalier.Training;

/// <summary>A recipe worked out: its durations in steps, its method for this run, and what it will cost.</summary>
internal sealed class RunPlan
{
    private const int CostSamples = 2000, LossPoints = 1000;

    private readonly double[] _costUpTo;
    private readonly int _microBatch, _sequences;
    private readonly bool _recompute;
    private readonly double _predictedShare;
    private readonly IOptimizer _optimizer;
    private (ModelConfig? Of, ILookup<int?, FlopsCount> ByLayer) _updateCosts;

    /// <summary>Works a recipe out.</summary>
    /// <param name="recipe">The recipe.</param>
    /// <param name="model">Its final model, the vocabulary filled in.</param>
    /// <param name="predictedShare">The share of positions that go through the vocabulary head.</param>
    public RunPlan(Recipe recipe, ModelConfig model, double predictedShare = 1)
    {
        TrainingConfig training = recipe.Training;
        FinalModel = model;
        TokensPerStep = (long)training.MicroBatch * training.GradientAccumulation * model.ContextLength;
        TotalSteps = Math.Max(1, training.Length.ToSteps(0, TokensPerStep));
        EvaluateEvery = AtLeastOne(recipe.Evaluation.Every);
        CheckpointEvery = AtLeastOne(recipe.Checkpoint.Every);
        CheckpointsAt = recipe.Checkpoint.At.Select(AtLeastOne).ToHashSet();
        LogEvery = AtLeastOne(recipe.Logging.Every);
        LossInterval = Math.Max(1, TotalSteps / LossPoints);
        WarmupSteps = recipe.LearningRate.Warmup.ToSteps(TotalSteps, TokensPerStep);
        LearningRate = new LearningRate(recipe.LearningRate, TotalSteps, TokensPerStep);
        Method = recipe.Method.Create(new RunShape(model, TotalSteps, TokensPerStep, recipe.Seed) { WarmupSteps = WarmupSteps });
        (_microBatch, _sequences, _predictedShare) = (training.MicroBatch, training.MicroBatch * training.GradientAccumulation, predictedShare);
        (_optimizer, _recompute) = (recipe.Optimizer.Create(), training.Recompute);
        _costUpTo = Costs();

        long AtLeastOne(Duration duration) => Math.Max(1, duration.ToSteps(TotalSteps, TokensPerStep));
    }

    /// <summary>The model that the run ends with.</summary>
    public ModelConfig FinalModel { get; }

    /// <summary>The tokens of one update.</summary>
    public long TokensPerStep { get; }

    /// <summary>The updates of the whole run.</summary>
    public long TotalSteps { get; }

    /// <summary>Updates between two evaluations.</summary>
    public long EvaluateEvery { get; }

    /// <summary>Updates between two checkpoints.</summary>
    public long CheckpointEvery { get; }

    /// <summary>Steps that are saved too, and whose checkpoints stay.</summary>
    public IReadOnlySet<long> CheckpointsAt { get; }

    /// <summary>Updates in a row of metrics.</summary>
    public long LogEvery { get; }

    /// <summary>Updates in a point of the loss curve that methods read.</summary>
    public long LossInterval { get; }

    /// <summary>The updates of the learning rate's warm-up.</summary>
    public long WarmupSteps { get; }

    /// <summary>The learning rate of every update.</summary>
    public LearningRate LearningRate { get; }

    /// <summary>The progressive method.</summary>
    public IProgressiveMethod Method { get; }

    /// <summary>
    /// The model as it is stored after growths that have happened, each asked of the method again where it happened.
    /// </summary>
    /// <param name="position">Where the run stands.</param>
    /// <returns>The model; null where the method decides otherwise than the record says.</returns>
    public ModelConfig? Replay(TrainingPosition position)
    {
        ModelConfig model = Method.InitialModel;
        for (int i = 0; i < position.Growths.Count; i++)
        {
            GrowthRecord record = position.Growths[i];
            TrainingPosition then = position with
            {
                Step = record.Step,
                Tokens = record.Step * TokensPerStep,
                ScheduleStep = record.ScheduleStep,
                Flops = record.Flops,
                Growths = [.. position.Growths.Take(i)],
                Losses = position.Losses.UpTo(record.Step),
            };
            bool isInOrder = record.Step < position.Step && (i == 0 || position.Growths[i - 1].Step <= record.Step);
            if (!isInOrder || Method.Next(model, then) is not { } growth || !record.IsOf(growth))
            {
                return null;
            }

            model = growth.Operator.Grow(model);
        }

        return model;
    }

    /// <summary>The growths that a method plans before the update that ends at a step, if it decides by the step alone.</summary>
    public IReadOnlyList<GrowthRecord> Forecast(long before)
    {
        ModelConfig model = Method.InitialModel;
        var position = new TrainingPosition();
        for (long step = 0; step < before; step++)
        {
            (model, position, _) = Grown(model, position with { Step = step, ScheduleStep = step });
        }

        return position.Growths;
    }

    /// <summary>The share of the whole run's floating-point operations that lies before a step.</summary>
    public double CostShare(long step)
    {
        double position = (double)step / TotalSteps * (_costUpTo.Length - 1);
        int below = Math.Min((int)position, _costUpTo.Length - 2);
        double cost = _costUpTo[below] + ((position - below) * (_costUpTo[below + 1] - _costUpTo[below]));
        return cost / _costUpTo[^1];
    }

    /// <summary>Whether the method tells what its plans cost on average; else one is drawn for each update that is looked at.</summary>
    public bool CostIsExact => Method is IKnownPlans;

    /// <summary>
    /// The run as it will go, at so many updates, spread evenly over it: plans depend on nothing but the position, so the future can
    /// be read. Growth that waits for the loss is taken to come at its latest.
    /// </summary>
    /// <param name="samples">How many updates to look at, at most all.</param>
    /// <param name="asDrawn">Whether to take the plans that the run will draw, also where their average is known.</param>
    /// <returns>
    /// The update, the model as it is stored then, what the update costs, forward, backward and by the optimizer's own products, the most layers that a plan
    /// executes, and what the growths before it cost since the update that was looked at last.
    /// </returns>
    public IEnumerable<(long Step, ModelConfig Model, FlopsCount Cost, int Depth, FlopsCount Growth)> Foresee(long samples, bool asDrawn = false)
    {
        samples = Math.Min(samples, TotalSteps);
        ModelConfig model = Method.InitialModel;
        var position = new TrainingPosition();
        (IReadOnlyList<(double, ForwardPlan)>? Plans, ModelConfig? Model, FlopsCount Cost, int Depth) last = default;
        for (long i = 0; i < samples; i++)
        {
            long step = i * TotalSteps / samples;
            (model, position, FlopsCount growth) = Grown(model, position with { Step = step });
            var plans = PlansAt(model, position, asDrawn);
            if (!ReferenceEquals(plans, last.Plans) || !ReferenceEquals(model, last.Model))
            {
                last = (plans, model, MeanOf(model, plans), plans.Max(plan => plan.Plan.Depth));
            }

            yield return (step, model, last.Cost, last.Depth, growth);
        }
    }

    /// <summary>The stretches of the run in which the model stays as it is stored, and what each will cost.</summary>
    /// <param name="samples">At how many updates to look, spread evenly, at most all.</param>
    public IReadOnlyList<CostStage> Stages(long samples)
    {
        long looked = Math.Min(samples, TotalSteps);
        double each = (double)TotalSteps / looked;
        List<CostStage> stages = [];
        foreach ((long step, ModelConfig stored, FlopsCount cost, int depth, FlopsCount growth) in Foresee(looked))
        {
            if (stages.Count == 0 || !ReferenceEquals(stages[^1].Model, stored))
            {
                stages.Add(new CostStage(stored, step, step, default, 0));
            }

            stages[^1] = stages[^1] with
            {
                Flops = stages[^1].Flops + (cost * each) + growth,
                Depth = Math.Max(stages[^1].Depth, depth),
            };
        }

        return
        [
            .. stages.Select((stage, i) => stage with { End = i + 1 < stages.Count ? stages[i + 1].Begin : TotalSteps }),
        ];
    }

    private double[] Costs()
    {
        var costUpTo = new double[Math.Min(CostSamples, TotalSteps) + 1];
        double each = (double)TotalSteps / (costUpTo.Length - 1);
        int i = 0;
        foreach (var (_, _, cost, _, growth) in Foresee(CostSamples, asDrawn: true))
        {
            costUpTo[i + 1] = costUpTo[i] + (cost.Total * each) + growth.Total;
            i++;
        }

        return costUpTo;
    }

    private IReadOnlyList<(double Probability, ForwardPlan Plan)> PlansAt(
        ModelConfig model, TrainingPosition position, bool asDrawn) =>
        Method is IKnownPlans known && !asDrawn ? known.Plans(model, position) : [(1, Method.Plan(model, position, 0))];

    private FlopsCount MeanOf(ModelConfig model, IReadOnlyList<(double Probability, ForwardPlan Plan)> plans) =>
        plans.Aggregate(default(FlopsCount), (sum, plan) => sum + (CostOf(model, plan.Plan) * plan.Probability));

    private FlopsCount CostOf(ModelConfig model, ForwardPlan plan)
    {
        int length = plan.Length ?? model.ContextLength;
        double tokens = (double)_sequences * model.ContextLength;
        return Ledger.ForwardAndBackward(model, plan, (int)(tokens / length), length, _predictedShare * tokens, _recompute)
            + UpdateCost(model, plan);
    }

    /// <summary>What updating all parameters that a plan trains costs.</summary>
    private FlopsCount UpdateCost(ModelConfig model, ForwardPlan plan)
    {
        if (!ReferenceEquals(_updateCosts.Of, model))
        {
            _updateCosts = (model, model.Architecture.Parameters(model)
                .ToLookup(parameter => parameter.Layer, _optimizer.UpdateCost));
        }

        return plan.Layers.Where(run => run.Trains).Select(run => (int?)run.Stored).Distinct()
            .Concat(plan.TrainsRest ? [null] : Array.Empty<int?>())
            .SelectMany(layer => _updateCosts.ByLayer[layer])
            .Aggregate(default(FlopsCount), (sum, cost) => sum + cost);
    }

    /// <summary>Lets the growths happen that are due at a position.</summary>
    /// <param name="model">The model as it is stored.</param>
    /// <param name="position">Where the run stands.</param>
    /// <returns>The model and where the run stands then, and what the growths themselves cost, which the position does not count.</returns>
    public (ModelConfig Model, TrainingPosition Position, FlopsCount Cost) Grown(ModelConfig model, TrainingPosition position)
    {
        FlopsCount cost = default;
        while (Method.Next(model, position) is { } growth)
        {
            position = position.After(growth);
            cost += growth.Operator.Cost(model, new GrowthCosts(this, position));
            model = growth.Operator.Grow(model);
        }

        return (model, position, cost);
    }

    private sealed class GrowthCosts(RunPlan run, TrainingPosition position) : IGrowthCosts
    {
        public FlopsCount Batch(ModelConfig model, ForwardPlan plan) => Ledger.ForwardAndBackward(
            model, plan, run._microBatch, model.ContextLength, run._predictedShare * run._microBatch * model.ContextLength);

        public FlopsCount Train(ModelConfig model, int steps) => run.MeanOf(model, run.PlansAt(model, position, asDrawn: false)) * steps;
    }
}
