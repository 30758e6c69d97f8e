using Espalier.Data;
using Espalier.Growth;
using Espalier.Models;

namespace Espalier.Training;

/// <summary>Growth outside of a run: its batches are those of a text, round and round; there is nothing to train with.</summary>
/// <param name="growth">The operator that is served, for messages.</param>
/// <param name="batches">The text; null where none was given.</param>
/// <param name="compute">Where to compute.</param>
/// <param name="seed">Of fresh weights, which are then the same each time.</param>
internal sealed class TextGrowthContext(GrowthOperator growth, IHeldOutBatches? batches, Compute compute, ulong seed = 1) : IGrowthContext
{
    public Compute Compute { get; } = compute;

    public ulong Seed { get; } = seed;

    public ModelBatch Batch(int index) => batches is not null
        ? ModelBatch.Of(batches.At(index % batches.Count), Compute.Device)
        : throw new UserErrorException($"The operator ({growth}) looks at text, and none was given.", "Name one: --data PATH.");

    public IReadOnlyList<double> Train(TrainingState trial, int steps) => throw new UserErrorException(
        $"The operator ({growth}) trains on trial, which only a run can do.", "Let a method of a recipe grow the model by it.");

    /// <summary>There is no run to charge.</summary>
    public void Charge(FlopsCount flops)
    {
    }
}
