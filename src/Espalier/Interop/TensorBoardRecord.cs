using System.Buffers.Binary;
using System.IO.Hashing;
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
        BinaryPrimitives.WriteUInt32LittleEndian(head[sizeof(ulong)..], Masked(head[..sizeof(ulong)]));
        Span<byte> tail = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(tail, Masked(data));
        stream.Write(head);
        stream.Write(data);
        stream.Write(tail);
    }

    /// <summary>TFRecord's checksum: CRC-32C under a mask, so that the CRC of data that holds CRCs is not weak.</summary>
    private static uint Masked(ReadOnlySpan<byte> data) =>
        unchecked(BitOperations.RotateRight(Crc32.HashToUInt32(Crc32ParameterSet.Crc32C, data), 15) + MaskDelta);
}
