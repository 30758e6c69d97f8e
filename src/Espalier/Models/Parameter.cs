using Espalier.Torch;

namespace Espalier.Models;

/// <summary>A trainable tensor that knows what it is.</summary>
/// <param name="Spec">Name, layer, axes.</param>
/// <param name="Value">The weights, float32, shaped as <see cref="ParameterSpec.Shape"/>.</param>
public sealed record Parameter(ParameterSpec Spec, Tensor Value)
{
    /// <summary>Hugging Face's name.</summary>
    public string Name => Spec.Name;

    /// <summary>
    /// The part of the parameter that this is, where ranks share its elements out: <see cref="Value"/> is then flat (S). Null where it is all of it.
    /// </summary>
    public Slice? Part { get; init; }

    /// <summary>Of factors that broadcast over the whole parameter, those of the elements that this is.</summary>
    internal Tensor? Matching(Tensor? factors) => Part is Slice part && factors is not null
        ? part.Of(Tensor.Full(Spec.Shape, 1, device: Value.Device) * factors)
        : factors;
}
