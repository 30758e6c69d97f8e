using Espalier.Models;

namespace Espalier.Growth;

/// <summary>The full model from the first step: the baseline.</summary>
public sealed record ScratchConfig : MethodConfig
{
    /// <inheritdoc/>
    public override string Name => "scratch";

    /// <inheritdoc/>
    public override IProgressiveMethod Create(RunShape run) => new Method(run.FinalModel);

    private sealed class Method(ModelConfig model) : IProgressiveMethod, IKnownPlans
    {
        public ModelConfig InitialModel => model;

        public ForwardPlan Plan(ModelConfig stored, TrainingPosition position, int microBatch) => EvaluationPlan(stored, position);

        public IReadOnlyList<(double Probability, ForwardPlan Plan)> Plans(ModelConfig stored, TrainingPosition position) =>
            [(1, EvaluationPlan(stored, position))];

        public ForwardPlan EvaluationPlan(ModelConfig stored, TrainingPosition position) => ForwardPlan.Plain(stored.Layers);

        public GrowthStep? Next(ModelConfig stored, TrainingPosition position) => null;
    }
}
