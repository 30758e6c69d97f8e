namespace Espalier.Interop;

/// <summary>One tensor of a safetensors file: what it is, not its bytes.</summary>
internal sealed class SafetensorsEntry
{
    internal SafetensorsEntry(string name, SafetensorsDType dtype, long[] shape, long offset, long byteLength)
    {
        Name = name;
        DType = dtype;
        Shape = shape;
        Offset = offset;
        ByteLength = byteLength;
    }

    /// <summary>The tensor's name, such as <c>transformer.h.0.attn.c_attn.weight</c>.</summary>
    public string Name { get; }

    /// <summary>The element type.</summary>
    public SafetensorsDType DType { get; }

    /// <summary>The sizes of the axes, row-major; empty for a scalar.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>Bytes of the whole tensor: the product of the shape times the size of an element.</summary>
    public long ByteLength { get; }

    /// <summary>First byte, counted from the end of the header.</summary>
    internal long Offset { get; }

    /// <summary>For messages: <c>F32 [2, 3]</c>.</summary>
    public override string ToString() => $"{Name}: {DType.Name()} [{string.Join(", ", Shape)}]";

    /// <summary>Bytes of a tensor, or false where the number does not fit in 63 bits or an axis is negative.</summary>
    internal static bool TryByteLength(SafetensorsDType dtype, IReadOnlyList<long> shape, out long bytes)
    {
        bytes = dtype.ByteSize();
        foreach (long size in shape)
        {
            if (size < 0 || Math.BigMul(bytes, size, out long low) != 0 || low < 0)
            {
                return false;
            }

            bytes = low;
        }

        return true;
    }
}
