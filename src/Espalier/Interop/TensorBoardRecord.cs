using System.Buffers.Binary;
using System.Numerics;

namespace Espalier.Interop;

/// <summary>
/// TFRecord framing: length, masked CRC of the length, data, masked CRC of the data. TensorBoard stops reading a file at
/// the first record that does not check, so a record cut short by a crash costs only itself.
/// </summary>
internal static class TensorBoardRecord
{
    private const uint MaskDelta = 0xA282EAD8;

    /// <summary>Writes one record.</summary>
    public static void Write(Stream stream, ReadOnlySpan<byte> data)
    {
        Span<byte> head = stackalloc byte[sizeof(ulong) + sizeof(uint)];
        BinaryPrimitives.WriteUInt64LittleEndian(head, (ulong)data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(head[sizeof(ulong)..], Masked(Crc32C(head[..sizeof(ulong)])));
        Span<byte> tail = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(tail, Masked(Crc32C(data)));
        stream.Write(head);
        stream.Write(data);
        stream.Write(tail);
    }

    /// <summary>CRC-32C (Castagnoli) as RFC 3720 defines it.</summary>
    public static uint Crc32C(ReadOnlySpan<byte> data)
    {
        uint crc = ~0u;
        while (data.Length >= sizeof(ulong))
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(data));
            data = data[sizeof(ulong)..];
        }

        foreach (byte value in data)
        {
            crc = BitOperations.Crc32C(crc, value);
        }

        return ~crc;
    }

    /// <summary>TFRecord's mask, so that the CRC of data that holds CRCs is not weak.</summary>
    public static uint Masked(uint crc) => unchecked(BitOperations.RotateRight(crc, 15) + MaskDelta);
}
