using static Espalier.Torch.Native;

namespace Espalier.Torch;

/// <summary>
/// The keys and values that one attention has made of the tokens so far: those to come look at them, and the tokens are not read
/// again. <see cref="Functional.SelfAttention"/> and <see cref="Functional.RotaryAttention"/> fill it.
/// </summary>
/// <param name="capacity">The tokens that it can hold of each sequence.</param>
public sealed class KeyValues(int capacity) : IDisposable
{
    // (B x groups, capacity, d), in the type in which the first keys come.
    private Tensor? _keys, _values;

    /// <summary>The tokens seen of each sequence.</summary>
    public int Length { get; private set; }

    /// <summary>Forgets what it has seen, for other tokens of as many sequences.</summary>
    public void Forget() => Length = 0;

    /// <inheritdoc/>
    public void Dispose()
    {
        _keys?.Dispose();
        _values?.Dispose();
    }

    internal Tensor Attend(Tensor query, Tensor key, Tensor value, int heads, int groups, Tensor frequencies)
    {
        long[] shape = query.Shape;
        if (_keys is null || _values is null)
        {
            long headSize = shape[^1] / (key.IsInvalid ? heads + (2 * groups) : heads);
            using IDisposable outlive = TensorScope.Suspend();
            _keys = Tensor.Empty([shape[0] * groups, capacity, headSize], query.Type, query.Device);
            _values = Tensor.Empty([shape[0] * groups, capacity, headSize], query.Type, query.Device);
        }

        Tensor mixed = Check(esp_cached_attention(query, key, value, heads, groups, frequencies, _keys, _values, Length));
        Length += (int)shape[1];
        return mixed;
    }
}
