using Espalier.Torch;

namespace Espalier.Models;

/// <summary>Where models compute, and in which number format.</summary>
/// <param name="Device">Where the tensors lie.</param>
/// <param name="Bf16">Whether matrix products run in bfloat16, over weights that stay in single precision.</param>
public sealed record Compute(Device Device, bool Bf16 = false)
{
    /// <summary>The processor, in single precision.</summary>
    public static Compute Cpu { get; } = new(Device.Cpu);

    /// <summary>A device with the format that suits it, or the one that is asked for.</summary>
    public static Compute Of(Device device, Precision precision) => new(device, precision switch
    {
        Precision.Auto => Engine.HasFastBFloat16(device),
        Precision.Bf16 => true,
        _ => false,
    });

    /// <summary>Lowers the matrix products of a forward pass while it lives; null where they stay as they are.</summary>
    public Autocast? LowerProducts() => Bf16 ? new Autocast(Device) : null;
}
