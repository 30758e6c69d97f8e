using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// What every progressive method decides, and nothing else: the model to begin with, what each micro-batch executes, when
/// and how the training state grows, and what the learning rate does then. Training from scratch is the method that begins
/// with the final model and never grows. It has no state: everything follows from its arguments, so that a resumed run
/// decides as the uninterrupted one.
/// </summary>
public interface IProgressiveMethod
{
    /// <summary>The model to begin with.</summary>
    ModelConfig InitialModel { get; }

    /// <summary>What one micro-batch executes; the same on all ranks.</summary>
    /// <param name="model">The model as it is stored now.</param>
    /// <param name="position">Where the run stands.</param>
    /// <param name="microBatch">The micro-batch within the update, from 0.</param>
    ForwardPlan Plan(ModelConfig model, TrainingPosition position, int microBatch);

    /// <summary>What evaluation executes, and what a checkpoint stands for at its full depth.</summary>
    /// <param name="model">The model as it is stored now.</param>
    /// <param name="position">Where the run stands.</param>
    ForwardPlan EvaluationPlan(ModelConfig model, TrainingPosition position);

    /// <summary>The growth that is due before the next update; null for none. Asked again after each growth.</summary>
    /// <param name="model">The model as it is stored now.</param>
    /// <param name="position">Where the run stands.</param>
    GrowthStep? Next(ModelConfig model, TrainingPosition position);
}
