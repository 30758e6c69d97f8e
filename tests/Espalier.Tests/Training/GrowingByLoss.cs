using Espalier.Growth;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Tests.Training;

/// <summary>
/// A method of these tests' own: it grows to the final depth when the loss falls below a bound, takes the learning rate's
/// schedule back, and warms what is new up again. No recipe file names it: a run folder keeps another method's name.
/// </summary>
internal sealed record GrowingByLoss : MethodConfig
{
    public override string Name => "growing-by-loss";

    /// <summary>The stored layers to begin with.</summary>
    public int Layers { get; init; } = 2;

    /// <summary>The last point of the loss curve must be below this.</summary>
    public required double Below { get; init; }

    /// <summary>How it grows.</summary>
    public required GrowthOperator Operator { get; init; }

    /// <summary>The tokens of a sequence; null for the context length.</summary>
    public int? Length { get; init; }

    public override IProgressiveMethod Create(RunShape run) => new Method(this, run);

    private sealed class Method(GrowingByLoss config, RunShape run) : IProgressiveMethod
    {
        public ModelConfig InitialModel { get; } = run.FinalModel with { Layers = config.Layers };

        public ForwardPlan Plan(ModelConfig model, TrainingPosition position, int microBatch) =>
            EvaluationPlan(model) with { Length = config.Length };

        public ForwardPlan EvaluationPlan(ModelConfig model) => ForwardPlan.Plain(model.Layers);

        public GrowthStep? Next(ModelConfig model, TrainingPosition position) =>
            model.Layers < run.FinalModel.Layers && position.Losses.Points.LastOrDefault() is { Step: > 0 } last
                && last.Loss < config.Below
                ? new GrowthStep(
                    config.Operator, ScheduleStep: last.Step / 2.0, new Rewarm(3, From: 0.1, Scope: RewarmScope.New))
                : null;
    }
}

/// <summary>Grows copies of the state in two ways, lets them train, and keeps the way of the lower loss (LAG, in small).</summary>
/// <param name="Count">The layers to store from now on.</param>
/// <param name="Steps">The updates of a trial.</param>
internal sealed record BetterOnTrial(int Count, int Steps) : GrowthOperator
{
    /// <summary>Hears of the losses of a way's trial.</summary>
    public Action<LayerMapKind, IReadOnlyList<double>>? Hear { get; init; }

    public override ModelConfig Grow(ModelConfig model) => model with { Layers = Count };

    public override Promise Promise(ModelConfig model) => new(Kept.Not, Dynamics: false);

    public override string ToString() => $"better-on-trial {Count} {Steps}";

    public override TrainingState Apply(TrainingState state, IGrowthContext context) =>
        Way(Enum.GetValues<LayerMapKind>().MinBy(map =>
        {
            using TrainingState trial = Way(map).Apply(state.Copy(), context);
            IReadOnlyList<double> losses = context.Train(trial, Steps);
            Hear?.Invoke(map, losses);
            return losses[^1];
        })).Apply(state, context);

    private CopyLayers Way(LayerMapKind map) => new(Count, map) { Moments = Moments };
}

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
