using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// A method that can tell what its micro-batches cost on average, without drawing. One that says nothing has its plans drawn, and
/// what they cost averaged.
/// </summary>
internal interface IKnownPlans
{
    /// <summary>
    /// The plans that a micro-batch may be given, each with its probability; of plans that cost the same, one may stand for all.
    /// The same list where nothing has changed.
    /// </summary>
    /// <param name="model">The model as it is stored now.</param>
    /// <param name="position">Where the run stands.</param>
    IReadOnlyList<(double Probability, ForwardPlan Plan)> Plans(ModelConfig model, TrainingPosition position);
}
