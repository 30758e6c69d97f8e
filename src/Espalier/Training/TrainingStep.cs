using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Training;

/// <summary>What one update came to.</summary>
/// <param name="MicroBatches">Loss and plan of each micro-batch.</param>
/// <param name="GradientNorm">Before clipping.</param>
/// <param name="LearningRate">Of this update.</param>
public sealed record StepResult(
    IReadOnlyList<(double Loss, ForwardPlan Plan)> MicroBatches, double GradientNorm, double LearningRate);

/// <summary>
/// One update: plan, forward and backward for every micro-batch, then clip and step. It knows nothing of files,
/// methods or growth, so that a benchmark runs the very code that a training run does.
/// </summary>
/// <param name="optimizer">The optimizer.</param>
/// <param name="mixedPrecision">Whether matrix products run in bfloat16.</param>
/// <param name="device">Where the tensors lie.</param>
public sealed class TrainingStep(AdamW optimizer, bool mixedPrecision, Device device)
{
    /// <summary>Does the update, unless the loss or a gradient is not finite.</summary>
    /// <param name="state">Parameters and moments change in place; the position moves on.</param>
    /// <param name="batches">Gives what a micro-batch reads and predicts.</param>
    /// <param name="microBatches">How many micro-batches make the update.</param>
    /// <param name="plan">What each of them executes.</param>
    /// <param name="dropoutSeed">Seeds the dropout of each of them.</param>
    /// <param name="learningRate">Of this update.</param>
    /// <exception cref="DivergenceException">The loss or the gradient is not finite; nothing has changed.</exception>
    public StepResult Run(
        TrainingState state,
        Func<int, ModelBatch> batches,
        int microBatches,
        Func<int, ForwardPlan> plan,
        Func<int, ulong> dropoutSeed,
        double learningRate)
    {
        long started = TimeProvider.System.GetTimestamp();
        IArchitecture architecture = Architectures.Of(state.Model.ModelType);
        var results = new (double Loss, ForwardPlan Plan)[microBatches];
        FlopsCount flops = state.Position.Flops;
        long tokens = 0;
        for (int i = 0; i < microBatches; i++)
        {
            using var scope = new TensorScope();
            ModelBatch batch = batches(i);
            ForwardPlan executed = plan(i);
            Tensor loss = Loss(architecture, state, batch, executed, dropoutSeed(i));
            (loss * (1.0 / microBatches)).Backward();

            results[i] = (loss.Item(), executed);
            if (!double.IsFinite(results[i].Loss))
            {
                throw Diverged(state, $"the loss of micro-batch {i} is {results[i].Loss}");
            }

            long[] shape = batch.Input.Ids.Shape;
            flops += architecture.ForwardFlops(
                state.Model, executed, (int)shape[0], (int)shape[1], batch.Predictions).ForwardAndBackward;
            tokens += shape[0] * shape[1];
        }

        double norm = AdamW.GradientNorm(state.Parameters);
        if (!double.IsFinite(norm))
        {
            throw Diverged(state, $"the gradient norm is {norm}");
        }

        optimizer.Step(state.Parameters, state.Optimizer, norm, learningRate);
        ClearGradients(state);
        Engine.Synchronize(device);
        state.Position = state.Position with
        {
            Step = state.Position.Step + 1,
            Tokens = state.Position.Tokens + tokens,
            Flops = flops,
            Seconds = state.Position.Seconds + TimeProvider.System.GetElapsedTime(started).TotalSeconds,
        };
        return new StepResult(results, norm, learningRate);
    }

    private Tensor Loss(
        IArchitecture architecture, TrainingState state, ModelBatch batch, ForwardPlan plan, ulong seed)
    {
        Engine.ManualSeed(seed);
        using Autocast? autocast = mixedPrecision ? new Autocast(device) : null;
        return architecture.Loss(state.Model, state.Parameters, batch, plan, training: true);
    }

    private static DivergenceException Diverged(TrainingState state, string what)
    {
        ClearGradients(state);
        return new DivergenceException(state.Position.Step, what);
    }

    private static void ClearGradients(TrainingState state)
    {
        foreach (Parameter parameter in state.Parameters)
        {
            parameter.Value.ClearGrad();
        }
    }
}
