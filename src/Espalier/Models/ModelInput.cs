using Espalier.Torch;

namespace Espalier.Models;

/// <summary>What a model reads.</summary>
/// <param name="Ids">Token ids (B, T), int64; T at most the context length.</param>
/// <param name="TypeIds">The segment (B, T), int64, of each token, for models that know segments; null for all 0.</param>
/// <param name="Lengths">
/// (B), int64: the tokens of each sequence before the padding at its end; null where there is no padding.
/// </param>
public sealed record ModelInput(Tensor Ids, Tensor? TypeIds = null, Tensor? Lengths = null)
{
    /// <summary>T.</summary>
    public long Length => Ids.Shape[1];

    /// <summary>Plain sequences of one segment, without padding.</summary>
    public static implicit operator ModelInput(Tensor ids) => new(ids);
}
