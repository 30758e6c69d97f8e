using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// What growth may use beyond the state: real batches, and training on trial. A learned growth map takes steps on batches, a
/// tried one lets copies of the state train; all of it is charged to the run.
/// </summary>
public interface IGrowthContext
{
    /// <summary>Where the run computes.</summary>
    Compute Compute { get; }

    /// <summary>The run's seed.</summary>
    ulong Seed { get; }

    /// <summary>How fresh weights go with the model's sizes; null for not at all.</summary>
    Mup? Mup => null;

    /// <summary>A training batch.</summary>
    /// <param name="index">From 0: the micro-batches that the run meets next, in their order.</param>
    ModelBatch Batch(int index);

    /// <summary>
    /// Trains a state as the run goes on to, at the learning rates that follow the growth, and charges what that costs.
    /// </summary>
    /// <param name="trial">The state; a copy, where the run's own is still wanted. It does not grow meanwhile.</param>
    /// <param name="steps">Updates.</param>
    /// <returns>The mean loss of each update, in nats a target. A trial that diverges ends there, with NaN.</returns>
    IReadOnlyList<double> Train(TrainingState trial, int steps);

    /// <summary>Charges work that was done on batches.</summary>
    void Charge(FlopsCount flops);
}
