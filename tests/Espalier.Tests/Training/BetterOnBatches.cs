using Espalier.Growth;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Tests.Training;

/// <summary>Looks at the batches to come, and keeps the way in which the grown model has the lower loss on them at once.</summary>
/// <param name="Count">The layers to store from now on.</param>
/// <param name="Batches">How many batches.</param>
internal sealed record BetterOnBatches(int Count, int Batches) : GrowthOperator
{
    /// <summary>Hears of the batches that are looked at.</summary>
    public Action<ModelBatch>? Hear { get; init; }

    public override ModelConfig Grow(ModelConfig model) => model with { Layers = Count };

    public override Promise Promise(ModelConfig model) => new(Kept.Not, Dynamics: false);

    public override string ToString() => $"better-on-batches {Count} {Batches}";

    public override TrainingState Apply(TrainingState state, IGrowthContext context)
    {
        LayerMapKind better = Enum.GetValues<LayerMapKind>().MinBy(map => Loss(map, state, context));
        return new CopyLayers(Count, better) { Moments = Moments }.Apply(state, context);
    }

    private double Loss(LayerMapKind map, TrainingState state, IGrowthContext context)
    {
        using var scope = new TensorScope();
        using var noGrad = new NoGrad();
        ForwardPlan plan = ForwardPlan.Of(LayerMap.Build(map, state.Model.Config.Layers, Count));
        double loss = 0;
        for (int i = 0; i < Batches; i++)
        {
            ModelBatch batch = context.Batch(i);
            Hear?.Invoke(batch);
            loss += ForwardPass.LossSum(state.Model, batch, plan).Item();
            context.Charge(Ledger.Forward(
                state.Model.Config, plan, (int)batch.Input.Ids.Shape[0], (int)batch.Input.Length, batch.Predictions));
        }

        return loss;
    }
}
