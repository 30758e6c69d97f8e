namespace Espalier.Optimization;

/// <summary>The learning rates of one update.</summary>
/// <param name="Rate">Of all elements but the new ones.</param>
/// <param name="New">Of the elements that the last growth has added.</param>
public readonly record struct LearningRates(double Rate, double New)
{
    /// <summary>One rate for all.</summary>
    public static implicit operator LearningRates(double rate) => new(rate, rate);
}
