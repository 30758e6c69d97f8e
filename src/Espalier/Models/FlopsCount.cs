using System.Globalization;

namespace Espalier.Models;

/// <summary>
/// Floating-point operations, a multiplication and an addition counted as two, part by part: so that figures with and
/// without the vocabulary head can both be given.
/// </summary>
/// <param name="Layers">The linear layers of the executed transformer layers.</param>
/// <param name="Attention">Attention scores and mixing, over the full square of positions.</param>
/// <param name="Head">The vocabulary head.</param>
public readonly record struct FlopsCount(double Layers, double Attention, double Head)
{
    /// <summary>All parts.</summary>
    public double Total => Layers + Attention + Head;

    /// <summary>A backward pass costs twice the forward pass: gradients of inputs and of weights.</summary>
    public FlopsCount ForwardAndBackward => this * 3;

    /// <summary>Part by part.</summary>
    public static FlopsCount operator +(FlopsCount a, FlopsCount b) =>
        new(a.Layers + b.Layers, a.Attention + b.Attention, a.Head + b.Head);

    /// <summary>Part by part.</summary>
    public static FlopsCount operator *(FlopsCount count, double factor) =>
        new(count.Layers * factor, count.Attention * factor, count.Head * factor);

    /// <summary>The parts. (A record's own text would print <see cref="ForwardAndBackward"/>, and that its own, without end.)</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"layers {Layers:R}, attention {Attention:R}, head {Head:R}");
}
