using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Training;

/// <summary>How fast training steps run here, measured on random tokens: no data is read.</summary>
internal static class MeasuredStep
{
    private const int MostSteps = 5;
    private const double EnoughSeconds = 3;

    /// <summary>The FLOPs a second of updates of a model, each of its stored layers run once.</summary>
    /// <param name="recipe">Says batch, device, precision, and whether layers are recomputed.</param>
    /// <param name="model">The model, the vocabulary filled in.</param>
    /// <param name="predictedShare">The share of positions that go through the vocabulary head.</param>
    /// <param name="stop">Ends it early.</param>
    /// <exception cref="UserErrorException">The device is not here.</exception>
    public static double FlopsPerSecond(Recipe recipe, ModelConfig model, double predictedShare, CancellationToken stop = default)
    {
        var compute = Compute.Of(Trainer.DeviceOf(recipe), recipe.Training.Precision);
        IOptimizer optimizer = recipe.Optimizer.Create();
        var step = new TrainingStep(optimizer, recipe.Optimizer.ClipNorm, compute, recompute: recipe.Training.Recompute);
        using var state = TrainingState.Begin(model, model.Layers, optimizer, recipe.Seed, compute.Device);
        var plan = ForwardPlan.Plain(model.Layers);

        // The first update makes buffers and kernels ready.
        (FlopsCount Flops, double Seconds) warm = default;
        for (int i = 0; i <= MostSteps && (i < 2 || state.Position.Seconds - warm.Seconds < EnoughSeconds); i++)
        {
            stop.ThrowIfCancellationRequested();
            step.Run(
                state, recipe.Training.GradientAccumulation, _ => plan,
                (microBatch, _) => Batch(recipe, model, predictedShare, i, microBatch, compute.Device), _ => 0, 0.0);
            warm = i == 0 ? (state.Position.Flops, state.Position.Seconds) : warm;
        }

        return (state.Position.Flops - warm.Flops).Total / (state.Position.Seconds - warm.Seconds);
    }

    private static ModelBatch Batch(Recipe recipe, ModelConfig model, double share, int step, int microBatch, Device device)
    {
        int sequences = recipe.Training.MicroBatch, length = model.ContextLength, count = sequences * length;
        var random = new CounterRandom(recipe.Seed, RandomPurpose.Tokens, step, microBatch);
        long[] ids = [.. Enumerable.Range(0, count).Select(i => (long)(random.NextDouble((uint)i) * model.Vocabulary))];
        int predicted = Math.Max(1, (int)Math.Round(share * count));
        long[] positions = [.. Enumerable.Range(0, predicted).Select(i => (long)i * count / predicted)];
        return new ModelBatch(
            Tensor.From<long>(ids, [sequences, length], device),
            Tensor.From<long>([.. positions.Select(position => ids[position])], [predicted], device),
            predicted == count ? null : Tensor.From<long>(positions, [predicted], device));
    }
}
