using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Tests.Growth;

/// <summary>Batches that can be learned, as a run would give them: each token says what is to be predicted after it.</summary>
/// <param name="model">Gives vocabulary and context.</param>
internal sealed class LigoContext(ModelConfig model) : IGrowthContext
{
    public const int Sequences = 3;

    public FlopsCount Charged { get; private set; }

    public Compute Compute => Compute.Cpu;

    public ulong Seed => 77;

    public ModelBatch Batch(int index)
    {
        long[] ids = Sample.Indices(100 + index, model.Vocabulary, Sequences * model.ContextLength).ToArray<long>();
        return new ModelBatch(
            Tensor.From<long>(ids, [Sequences, model.ContextLength]),
            Tensor.From<long>([.. ids.Select(id => ((3 * id) + 1) % model.Vocabulary)], [ids.Length]));
    }

    public IReadOnlyList<double> Train(TrainingState trial, int steps) => throw new NotSupportedException();

    public void Charge(FlopsCount flops) => Charged += flops;

    /// <summary>A new model that some updates have taught a little.</summary>
    public TrainingState Trained(int steps)
    {
        var optimizer = new AdamW(new AdamWConfig());
        TrainingState state = TrainingState.Begin(model, model.Layers, optimizer, seed: 3, Device.Cpu);
        for (int step = 0; step < steps; step++)
        {
            using var scope = new TensorScope();
            ModelBatch batch = Batch(1000 + step);
            ForwardPass.LossSum(state.Model, batch, ForwardPlan.Plain(model.Layers)).Backward();
            optimizer.Step(state.Model.Parameters, state.Optimizer, 1.0 / batch.TargetCount, 1e-2);
            state.Model.Parameters.ClearGradients();
        }

        return state;
    }

    /// <summary>The mean loss of a model on batches that nothing has learned from.</summary>
    public double HeldOutLoss(Model measured)
    {
        using var scope = new TensorScope();
        using var noGrad = new NoGrad();
        ModelBatch[] batches = [.. Enumerable.Range(5000, 5).Select(Batch)];
        return batches.Sum(batch => ForwardPass.LossSum(measured, batch, ForwardPlan.Plain(measured.Config.Layers)).Item())
            / batches.Sum(batch => batch.TargetCount);
    }
}
