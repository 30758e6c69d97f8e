using Espalier.Distributed;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Training;

/// <summary>What one micro-batch came to.</summary>
/// <param name="LossSum">The losses of its targets, in nats, summed.</param>
/// <param name="Targets">How many they are.</param>
/// <param name="Plan">What it executed.</param>
public readonly record struct MicroBatchResult(double LossSum, long Targets, ForwardPlan Plan);

/// <summary>What one update came to.</summary>
/// <param name="MicroBatches">Its micro-batches.</param>
/// <param name="GradientNorm">Before clipping.</param>
/// <param name="LearningRate">Of this update.</param>
public sealed record StepResult(IReadOnlyList<MicroBatchResult> MicroBatches, double GradientNorm, double LearningRate)
{
    /// <summary>The mean loss over all targets of the update, in nats a target.</summary>
    public double Loss { get; } = MicroBatches.Sum(batch => batch.LossSum) / MicroBatches.Sum(batch => batch.Targets);

    /// <summary>How long its gradients were under way between ranks; none where there is one.</summary>
    public CommunicationTime Communication { get; init; }
}

/// <summary>
/// One update: plan, forward and backward for every micro-batch, then clip and step. The gradient is that of the sum of the
/// losses, divided once by all targets of the update: however they are spread over micro-batches, each counts alike. It knows
/// nothing of files, methods or growth, so that a benchmark runs the very code that a training run does.
/// </summary>
/// <param name="optimizer">The update rule.</param>
/// <param name="clipNorm">The most the gradient norm may be; 0 for no bound.</param>
/// <param name="compute">Where, and in which number format.</param>
/// <param name="zLoss">What the gradient counts of each target's log(Z)^2; the reported loss counts none.</param>
/// <param name="ranks">
/// Those that share the micro-batches of an update, as many each; null for this process alone. Each has the whole model, and makes the
/// same update; or, of a state whose optimizer is dealt out, its part of it.
/// </param>
/// <param name="recompute">Whether layers keep only what they read, and run again in the backward pass.</param>
public sealed class TrainingStep(
    IOptimizer optimizer, double clipNorm, Compute compute, double zLoss = 0, Ranks? ranks = null, bool recompute = false)
{
    private readonly Ranks _ranks = ranks ?? Ranks.Single;

    /// <summary>The rank that computes a micro-batch: neighbours go to the same one, as they would be added to each other.</summary>
    internal static int RankOf(int microBatch, int microBatches, Ranks ranks) => microBatch / (microBatches / ranks.Size);

    /// <summary>Does the update, unless the loss or a gradient is not finite.</summary>
    /// <param name="state">Weights and optimizer state change in place; the position moves on.</param>
    /// <param name="microBatches">How many micro-batches make the update, on all ranks together; they can be shared evenly.</param>
    /// <param name="plans">What each of them executes.</param>
    /// <param name="batches">Gives what a micro-batch reads and predicts, in sequences of the length that its plan says.</param>
    /// <param name="dropoutSeeds">Seeds the dropout of each of them.</param>
    /// <param name="rates">The learning rates of this update.</param>
    /// <exception cref="DivergenceException">The loss or the gradient is not finite; nothing has changed.</exception>
    public StepResult Run(
        TrainingState state,
        int microBatches,
        Func<int, ForwardPlan> plans,
        Func<int, ForwardPlan, ModelBatch> batches,
        Func<int, ulong> dropoutSeeds,
        LearningRates rates)
    {
        long started = TimeProvider.System.GetTimestamp();
        var done = new MicroBatchTable(microBatches, state.Model.Parameters);
        OptimizerShards? shards = state.Optimizer.Shards;
        using GradientExchange? exchange = _ranks.Size == 1 ? null
            : new GradientExchange(_ranks, state.Model, [.. Enumerable.Range(0, microBatches).Select(plans)], shards);
        int share = microBatches / _ranks.Size, end = (_ranks.Rank + 1) * share;
        for (int i = end - share; i < end; i++)
        {
            using var scope = new TensorScope();
            ForwardPlan plan = plans(i);
            ModelBatch batch = batches(i, plan);
            using var back = new BackwardPass(state.Model, plan, recompute ? compute : null);
            Tensor loss = LossSum(state.Model, batch, plan, back, dropoutSeeds(i));
            back.Run(loss, i == end - 1 && exchange is not null ? exchange.Final : null);
            done.Add(i, loss.Item(), batch);

            // Other ranks wait for this one's gradients, whatever they are.
            if (exchange is null && !double.IsFinite(done.LossSum(i)))
            {
                break;
            }
        }

        CommunicationTime communication = exchange?.Wait() ?? default;
        if (exchange is not null)
        {
            done.Share(_ranks, exchange);
        }

        var results = new MicroBatchResult[microBatches];
        FlopsCount flops = state.Position.Flops;
        long tokens = 0;
        for (int i = 0; i < microBatches; i++)
        {
            results[i] = new MicroBatchResult(done.LossSum(i), done.Targets(i), plans(i));
            if (!double.IsFinite(results[i].LossSum))
            {
                throw Diverged(state, $"the loss of micro-batch {i} is {results[i].LossSum}", i);
            }

            (int sequences, int length) = done.Shape(i);
            flops += Ledger.ForwardAndBackward(
                state.Model.Config, results[i].Plan, sequences, length, done.Predictions(i), recompute);
            tokens += (long)sequences * length;
        }

        double targets = results.Sum(result => result.Targets);
        double norm = (shards is null ? GradientNorm.Of(state.Model.Parameters) : Math.Sqrt(done.Squares)) / targets;
        if (!double.IsFinite(norm))
        {
            throw Diverged(state, $"the gradient norm is {norm}");
        }

        double scale = GradientNorm.ClipFactor(norm, clipNorm) / targets;
        if (shards is null)
        {
            flops += optimizer.Step(state.Model.Parameters, state.Optimizer, scale, rates);
        }
        else
        {
            (FlopsCount cost, CommunicationTime ofWeights) = ShardedOptimizer.Step(state, _ranks, done.Trained, exchange!.Own, scale, rates);
            flops += cost;
            communication += ofWeights;
        }

        state.Model.Parameters.ClearGradients();
        Engine.Synchronize(compute.Device);
        var result = new StepResult(results, norm, rates.Rate) { Communication = communication };
        long step = state.Position.Step + 1;
        state.Position = state.Position with
        {
            Step = step,
            ScheduleStep = state.Position.ScheduleStep + 1,
            Tokens = state.Position.Tokens + tokens,
            Losses = state.Position.Losses.Add(result.Loss, step, flops.Total),
            Flops = flops,
            Seconds = state.Position.Seconds + TimeProvider.System.GetElapsedTime(started).TotalSeconds,
        };
        return result;
    }

    private Tensor LossSum(Model model, ModelBatch batch, ForwardPlan plan, BackwardPass back, ulong seed)
    {
        Engine.ManualSeed(seed);
        using Autocast? autocast = compute.LowerProducts();
        return ForwardPass.LossSum(model, batch, plan, back, zLoss);
    }

    private static DivergenceException Diverged(TrainingState state, string what, int? microBatch = null)
    {
        state.Model.Parameters.ClearGradients();
        return new DivergenceException(state.Position.Step, what, microBatch);
    }
}
