using Espalier.Growth;
using Espalier.Models;

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
            EvaluationPlan(model, position) with { Length = config.Length };

        public ForwardPlan EvaluationPlan(ModelConfig model, TrainingPosition position) => ForwardPlan.Plain(model.Layers);

        public GrowthStep? Next(ModelConfig model, TrainingPosition position) =>
            model.Layers < run.FinalModel.Layers && position.Losses.Points.LastOrDefault() is { Step: > 0 } last
                && last.Loss < config.Below
                ? new GrowthStep(
                    config.Operator, ScheduleStep: last.Step / 2.0, new Rewarm(3, From: 0.1, Scope: RewarmScope.New))
                : null;
    }
}
