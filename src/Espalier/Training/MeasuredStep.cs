using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Training;

/// <summary>How fast training steps run here, measured on random tokens: no data is read.</summary>
internal static class MeasuredStep
{
    private const int MostSteps = 5;
    private const int LeastPairs = 3, MostPairs = 15;
    private const double EnoughSeconds = 3;

    /// <summary>The FLOPs a second of updates of a model, each of its stored layers run once.</summary>
    /// <param name="recipe">Says batch, device, precision, and whether layers are recomputed.</param>
    /// <param name="model">The model, the vocabulary filled in.</param>
    /// <param name="predictedShare">The share of positions that go through the vocabulary head.</param>
    /// <param name="stop">Ends it early.</param>
    /// <exception cref="UserErrorException">The device is not here.</exception>
    public static double FlopsPerSecond(Recipe recipe, ModelConfig model, double predictedShare, CancellationToken stop = default)
    {
        using var updates = new Updates(recipe, model, predictedShare);

        // The first update makes buffers and kernels ready.
        updates.Run(recipe.Training.GradientAccumulation);
        (double flops, double seconds) = (0, 0);
        for (int i = 0; i < MostSteps && (i == 0 || seconds < EnoughSeconds); i++)
        {
            stop.ThrowIfCancellationRequested();
            (double more, double longer) = updates.Run(recipe.Training.GradientAccumulation);
            (flops, seconds) = (flops + more, seconds + longer);
        }

        return flops / seconds;
    }

    /// <summary>How fast a rank computes: updates of one micro-batch and of two tell their share from that of the update itself.</summary>
    /// <inheritdoc cref="FlopsPerSecond"/>
    public static RankSpeed OfRank(Recipe recipe, ModelConfig model, double predictedShare, CancellationToken stop = default)
    {
        using var updates = new Updates(recipe, model, predictedShare);
        updates.Run(2);
        List<double> one = [], two = [];
        double flops = 0;
        while (one.Count < MostPairs && (one.Count < LeastPairs || one.Sum() + two.Sum() < EnoughSeconds))
        {
            stop.ThrowIfCancellationRequested();
            (double flopsOfOne, double secondsOfOne) = updates.Run(1);
            (double flopsOfTwo, double secondsOfTwo) = updates.Run(2);
            one.Add(secondsOfOne);
            two.Add(secondsOfTwo);
            flops = flopsOfTwo - flopsOfOne;
        }

        // Other programs make an update slower, never faster. Where the clock cannot tell, nothing is the update's own.
        double most = two.Min() / 2, microBatch = two.Min() - one.Min();
        microBatch = microBatch > 0 && microBatch < most ? microBatch : most;
        return new RankSpeed(flops / microBatch, Math.Max(0, one.Min() - microBatch));
    }

    /// <summary>Updates of a model in memory, one after the other.</summary>
    private sealed class Updates : IDisposable
    {
        private readonly Recipe _recipe;
        private readonly double _predictedShare;
        private readonly Compute _compute;
        private readonly TrainingStep _step;
        private readonly TrainingState _state;
        private readonly ForwardPlan _plan;

        public Updates(Recipe recipe, ModelConfig model, double predictedShare)
        {
            (_recipe, _predictedShare) = (recipe, predictedShare);
            _compute = Compute.Of(Trainer.DeviceOf(recipe), recipe.Training.Precision);
            IOptimizer optimizer = recipe.Optimizer.Create();
            _step = new TrainingStep(optimizer, recipe.Optimizer.ClipNorm, _compute, recompute: recipe.Training.Recompute);
            _state = TrainingState.Begin(model, model.Layers, optimizer, recipe.Seed, _compute.Device);
            _plan = ForwardPlan.Plain(model.Layers);
        }

        /// <summary>One more, of so many micro-batches: its FLOPs and its seconds.</summary>
        public (double Flops, double Seconds) Run(int microBatches)
        {
            TrainingPosition before = _state.Position;
            _step.Run(
                _state, microBatches, _ => _plan,
                (microBatch, _) => Batch(_recipe, _state.Model.Config, _predictedShare, (int)before.Step, microBatch, _compute.Device), _ => 0, 0.0);
            return ((_state.Position.Flops - before.Flops).Total, _state.Position.Seconds - before.Seconds);
        }

        public void Dispose() => _state.Dispose();
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
