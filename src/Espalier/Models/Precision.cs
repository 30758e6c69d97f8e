namespace Espalier.Models;

/// <summary>The number format of matrix products. Weights and optimizer state are always f32.</summary>
public enum Precision
{
    /// <summary>bf16 where the device computes in it natively, f32 elsewhere.</summary>
    Auto,

    /// <summary>bfloat16 autocast over f32 master weights.</summary>
    Bf16,

    /// <summary>32-bit floats throughout.</summary>
    F32,
}
