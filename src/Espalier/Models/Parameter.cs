using Espalier.Torch;

namespace Espalier.Models;

/// <summary>A trainable tensor that knows what it is.</summary>
/// <param name="Spec">Name, layer, axes.</param>
/// <param name="Value">The weights, float32, shaped as <see cref="ParameterSpec.Shape"/>.</param>
public sealed record Parameter(ParameterSpec Spec, Tensor Value)
{
    /// <summary>Hugging Face's name.</summary>
    public string Name => Spec.Name;
}
