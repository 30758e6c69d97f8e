namespace Espalier.Interop;

/// <summary>A tensor to be written: its place in the header, and who supplies its bytes when their turn comes.</summary>
internal sealed class SafetensorsTensor
{
    /// <summary>A tensor that writes itself.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="dtype">The element type.</param>
    /// <param name="shape">The sizes of the axes; empty for a scalar.</param>
    /// <param name="write">Writes exactly <see cref="ByteLength"/> little-endian, row-major bytes.</param>
    /// <exception cref="ArgumentException">A negative axis, or more than 2^63 bytes.</exception>
    public SafetensorsTensor(
        string name, SafetensorsDType dtype, IReadOnlyList<long> shape, Action<Stream> write)
    {
        if (!SafetensorsEntry.TryByteLength(dtype, shape, out long bytes))
        {
            throw new ArgumentException($"'{name}' has an impossible shape [{string.Join(", ", shape)}].", nameof(shape));
        }

        (Name, DType, Shape, Write, ByteLength) = (name, dtype, [.. shape], write, bytes);
    }

    /// <summary>A tensor whose bytes are in memory.</summary>
    public SafetensorsTensor(
        string name, SafetensorsDType dtype, IReadOnlyList<long> shape, ReadOnlyMemory<byte> bytes)
        : this(name, dtype, shape, stream => stream.Write(bytes.Span))
    {
    }

    /// <summary>The tensor's name.</summary>
    public string Name { get; }

    /// <summary>The element type.</summary>
    public SafetensorsDType DType { get; }

    /// <summary>The sizes of the axes.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>Writes the bytes.</summary>
    public Action<Stream> Write { get; }

    /// <summary>Bytes of the whole tensor.</summary>
    public long ByteLength { get; }
}
