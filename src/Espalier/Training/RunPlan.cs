using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Models;

namespace Espalier.Training;

/// <summary>A recipe worked out: its durations in steps, its method for this run, and what it will cost.</summary>
internal sealed class RunPlan
{
    private const int CostSamples = 2000, LossPoints = 1000;

    private readonly double[] _costUpTo;

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
        LogEvery = AtLeastOne(recipe.Logging.Every);
        LossInterval = Math.Max(1, TotalSteps / LossPoints);
        Method = recipe.Method.Create(new RunShape(model, TotalSteps, TokensPerStep, recipe.Seed)
        {
            WarmupSteps = recipe.LearningRate.Warmup.ToSteps(TotalSteps, TokensPerStep),
        });
        _costUpTo = Costs(training.MicroBatch * training.GradientAccumulation, predictedShare);

        long AtLeastOne(Duration every) => Math.Max(1, every.ToSteps(TotalSteps, TokensPerStep));
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

    /// <summary>Updates in a row of metrics.</summary>
    public long LogEvery { get; }

    /// <summary>Updates in a point of the loss curve that methods read.</summary>
    public long LossInterval { get; }

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
            (model, position) = Grown(model, position with { Step = step, ScheduleStep = step });
        }

        return position.Growths;
    }

    /// <summary>A growth as a checkpoint keeps it.</summary>
    /// <param name="growth">The growth.</param>
    /// <param name="position">Where the run stands before it.</param>
    internal static GrowthRecord Record(GrowthStep growth, TrainingPosition position) =>
        new(position.Step, growth.Operator.ToString(), growth.Rewarm)
        {
            ScheduleStep = position.ScheduleStep,
            Flops = position.Flops,
        };

    /// <summary>The share of the whole run's floating-point operations that lies before a step.</summary>
    public double CostShare(long step)
    {
        double position = (double)step / TotalSteps * (_costUpTo.Length - 1);
        int below = Math.Min((int)position, _costUpTo.Length - 2);
        double cost = _costUpTo[below] + ((position - below) * (_costUpTo[below + 1] - _costUpTo[below]));
        return cost / _costUpTo[^1];
    }

    /// <summary>
    /// Plans depend on nothing but the position, so the future can be read: here at up to 2000 steps. Growth that waits for
    /// the loss is not foreseen.
    /// </summary>
    private double[] Costs(int sequences, double predictedShare)
    {
        int samples = (int)Math.Min(CostSamples, TotalSteps);
        var costUpTo = new double[samples + 1];
        ModelConfig model = Method.InitialModel;
        var position = new TrainingPosition();
        for (int i = 0; i < samples; i++)
        {
            (model, position) = Grown(model, position with { Step = i * TotalSteps / samples });
            ForwardPlan plan = Method.Plan(model, position, 0);
            int length = plan.Length ?? model.ContextLength;
            double tokens = (double)sequences * model.ContextLength;
            costUpTo[i + 1] = costUpTo[i] + Ledger.ForwardAndBackward(
                model, plan, (int)(tokens / length), length, predictedShare * tokens).Total;
        }

        return costUpTo;
    }

    private (ModelConfig Model, TrainingPosition Position) Grown(ModelConfig model, TrainingPosition position)
    {
        while (Method.Next(model, position) is { } growth)
        {
            model = growth.Operator.Grow(model);
            position = position with { Growths = [.. position.Growths, Record(growth, position)] };
        }

        return (model, position);
    }
}
