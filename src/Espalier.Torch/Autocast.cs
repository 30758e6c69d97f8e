using static Espalier.Torch.Native;

namespace Espalier.Torch;

/// <summary>
/// While it lives, matrix products on a device run in a lower precision, over weights that stay in single precision.
/// The lowered copies of the weights are made once and forgotten at the end, so it must end before the weights change.
/// </summary>
public sealed class Autocast : IDisposable
{
    private readonly Device _device;
    private readonly ScalarType _lower;

    /// <summary>Turns autocast on.</summary>
    public Autocast(Device device, ScalarType lower = ScalarType.BFloat16)
    {
        (_device, _lower) = (device, lower);
        _ = Check(esp_set_autocast(device.Type, 1, lower));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _ = Check(esp_clear_autocast_cache());
        _ = Check(esp_set_autocast(_device.Type, 0, _lower));
    }
}
