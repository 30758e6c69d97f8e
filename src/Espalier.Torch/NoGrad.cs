using static Espalier.Torch.Native;

namespace Espalier.Torch;

/// <summary>While it lives, operations of this thread record nothing for a backward pass.</summary>
public sealed class NoGrad : IDisposable
{
    private readonly int _before = esp_set_grad_enabled(0);

    /// <inheritdoc/>
    public void Dispose() => _ = esp_set_grad_enabled(_before);
}
