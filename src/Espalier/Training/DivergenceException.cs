namespace Espalier.Training;

/// <summary>The loss or a gradient is no longer a finite number; the update was not made.</summary>
/// <param name="step">The update, from 0, that was not made.</param>
/// <param name="what">What is not finite.</param>
public sealed class DivergenceException(long step, string what)
    : Exception($"step {step}: {what}")
{
    /// <summary>The update, from 0, that was not made.</summary>
    public long Step { get; } = step;
}
