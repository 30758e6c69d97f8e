using System.Text.Json.Serialization;

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
    [JsonIgnore]
    public double Total => Layers + Attention + Head;

    /// <summary>
    /// A transformer layer's forward pass. Queries, keys, values and output are 4 C^2 a token, the feed-forward layer 2 C F;
    /// attention scores and their mixing T C each.
    /// </summary>
    /// <param name="config">The model.</param>
    /// <param name="sequences">B.</param>
    /// <param name="length">T.</param>
    public static FlopsCount OfLayer(ModelConfig config, int sequences, int length)
    {
        double tokens = (double)sequences * length, hidden = config.HiddenSize;
        return new FlopsCount(
            2 * ((4 * hidden * hidden) + (2 * hidden * config.FfnWidth)) * tokens, 2 * 2 * hidden * length * tokens, 0);
    }

    /// <summary>Part by part.</summary>
    public static FlopsCount operator +(FlopsCount a, FlopsCount b) =>
        new(a.Layers + b.Layers, a.Attention + b.Attention, a.Head + b.Head);

    /// <summary>Part by part.</summary>
    public static FlopsCount operator -(FlopsCount a, FlopsCount b) =>
        new(a.Layers - b.Layers, a.Attention - b.Attention, a.Head - b.Head);

    /// <summary>Part by part.</summary>
    public static FlopsCount operator *(FlopsCount count, double factor) =>
        new(count.Layers * factor, count.Attention * factor, count.Head * factor);
}
