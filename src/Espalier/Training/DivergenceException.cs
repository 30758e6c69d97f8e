namespace Espalier.Training;

/// <summary>The loss or a gradient is no longer a finite number; the update was not made.</summary>
/// <param name="step">The update, from 0, that was not made.</param>
/// <param name="what">What is not finite.</param>
/// <param name="microBatch">The micro-batch whose loss it is; null where it is a gradient.</param>
public sealed class DivergenceException(long step, string what, int? microBatch = null)
    : Exception($"step {step}: {what}")
{
    /// <summary>The update, from 0, that was not made.</summary>
    public long Step { get; } = step;

    /// <summary>The micro-batch whose loss is not finite; null where it is a gradient.</summary>
    public int? MicroBatch { get; } = microBatch;
}
