using Espalier.Torch;

namespace Espalier.Optimization;

/// <summary>How a slot changes when the gradient does: growth scales it accordingly.</summary>
public enum Follows
{
    /// <summary>As the gradient: half the gradient, half the slot.</summary>
    Gradient,

    /// <summary>As the square of the gradient: half the gradient, a quarter of the slot.</summary>
    Square,
}

/// <summary>One thing that an optimizer remembers of every element of a parameter.</summary>
/// <param name="Value">Shaped like the parameter, float32.</param>
/// <param name="Follows">How it changes when the gradient does.</param>
public sealed record Slot(Tensor Value, Follows Follows);
