using Espalier.Torch;

namespace Espalier.Models;

/// <summary>
/// Weights of matrix products in bfloat16, each lowered once: a product with a single token would else take less time than
/// lowering its weight. They must not change meanwhile.
/// </summary>
internal sealed class LoweredWeights : IDisposable
{
    private readonly Dictionary<(int? Layer, string Role), Tensor> _weights = [];

    /// <summary>The lowered form of a weight.</summary>
    public Tensor Of(int? layer, string role, Tensor weight)
    {
        if (!_weights.TryGetValue((layer, role), out Tensor? lowered))
        {
            using IDisposable outlive = TensorScope.Suspend();
            _weights.Add((layer, role), lowered = weight.To(ScalarType.BFloat16, weight.Device));
        }

        return lowered;
    }

    public void Dispose()
    {
        foreach (Tensor weight in _weights.Values)
        {
            weight.Dispose();
        }
    }
}
