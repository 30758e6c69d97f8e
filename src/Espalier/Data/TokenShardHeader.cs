using System.Buffers.Binary;
using System.IO.Hashing;

namespace Espalier.Data;

/// <summary>
/// The first 64 bytes of a token shard, little-endian: <c>ESPALIER</c>, version (u16), bytes per token (u16: 2 or 4),
/// vocabulary size (u32), tokens (u64), SHA-256 of the tokenizer (32 bytes), CRC-32C of the tokens (u32), CRC-32C of the
/// 60 bytes before (u32). The tokens follow as unsigned integers, and nothing after them.
/// </summary>
internal readonly record struct TokenShardHeader(int BytesPerToken, int VocabularySize, long Count, string Fingerprint, uint PayloadChecksum)
{
    public const int Size = 64;

    private const int Version = 1;

    private static ReadOnlySpan<byte> Magic => "ESPALIER"u8;

    /// <summary>The length of the whole file.</summary>
    public long FileLength => Size + (Count * BytesPerToken);

    /// <summary>The narrower of the two token widths that holds a vocabulary.</summary>
    public static int WidthFor(int vocabularySize) => vocabularySize <= ushort.MaxValue + 1 ? sizeof(ushort) : sizeof(uint);

    public byte[] ToBytes()
    {
        var bytes = new byte[Size];
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(8), Version);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(10), (ushort)BytesPerToken);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(12), (uint)VocabularySize);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(16), Count);
        Convert.FromHexString(Fingerprint).CopyTo(bytes, 24);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(56), PayloadChecksum);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(60), Crc32.HashToUInt32(Crc32ParameterSet.Crc32C, bytes.AsSpan(0, 60)));
        return bytes;
    }

    /// <summary>Reads a header, or says in <paramref name="problem"/> why the file is not a whole shard.</summary>
    public static TokenShardHeader Parse(ReadOnlySpan<byte> bytes, long fileLength, out string? problem)
    {
        TokenShardHeader header = default;
        if (bytes.Length < Size || !bytes.StartsWith(Magic))
        {
            problem = "it does not begin with the header of one";
        }
        else if (BinaryPrimitives.ReadUInt16LittleEndian(bytes[8..]) is ushort version && version != Version)
        {
            problem = $"its version is {version}, and this program reads version {Version}";
        }
        else if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[60..]) != Crc32.HashToUInt32(Crc32ParameterSet.Crc32C, bytes[..60]))
        {
            problem = "its header is damaged";
        }
        else
        {
            header = new TokenShardHeader(
                BinaryPrimitives.ReadUInt16LittleEndian(bytes[10..]),
                (int)BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]),
                BinaryPrimitives.ReadInt64LittleEndian(bytes[16..]),
                Convert.ToHexStringLower(bytes.Slice(24, 32)),
                BinaryPrimitives.ReadUInt32LittleEndian(bytes[56..]));
            bool sensible = header.BytesPerToken is sizeof(ushort) or sizeof(uint) && header.VocabularySize > 0
                && header.Count >= 0 && header.Count <= (long.MaxValue - Size) / sizeof(uint);
            problem = !sensible ? "its header contradicts itself"
                : fileLength < header.FileLength ? $"it is cut off: {fileLength} bytes of {header.FileLength}"
                : fileLength > header.FileLength ? $"it has {fileLength - header.FileLength} bytes too many at its end"
                : null;
        }

        return header;
    }
}
