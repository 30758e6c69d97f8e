using Espalier.Torch;

namespace Espalier.Models;

/// <summary>Consecutive elements of a tensor, as they lie in memory.</summary>
/// <param name="Start">The first.</param>
/// <param name="Length">S: how many.</param>
public readonly record struct Slice(long Start, long Length)
{
    /// <summary>The elements (S), in the tensor's own memory.</summary>
    /// <param name="tensor">Contiguous.</param>
    internal Tensor Of(Tensor tensor) => tensor.View(-1).Narrow(0, Start, Length);
}
