using System.Buffers.Binary;
using System.IO.Hashing;
using System.IO.MemoryMappedFiles;

namespace Espalier.Data;

/// <summary>
/// Token ids in a file that is mapped into memory, so that a data set may be larger than memory. Safe to read from
/// several threads; dispose of it when no one reads any more.
/// </summary>
public sealed unsafe class TokenShard : IDisposable
{
    private const int ChunkBytes = 1 << 26;

    private readonly TokenShardHeader _header;
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _payload;

    private TokenShard(string path, TokenShardHeader header, MemoryMappedFile file)
    {
        Path = path;
        _header = header;
        _file = file;
        _view = file.CreateViewAccessor(0, header.FileLength, MemoryMappedFileAccess.Read);
        byte* start = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        _payload = start + _view.PointerOffset + TokenShardHeader.Size;
    }

    /// <summary>Where the shard lies.</summary>
    public string Path { get; }

    /// <summary>The number of tokens.</summary>
    public long Count => _header.Count;

    /// <summary>The size of the vocabulary; every token is below it.</summary>
    public int VocabularySize => _header.VocabularySize;

    /// <summary>The <see cref="Tokenizer.Fingerprint"/> of the tokenizer that made the tokens.</summary>
    public string TokenizerFingerprint => _header.Fingerprint;

    /// <summary>Opens a shard and checks it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="verify">Whether to read all tokens once and compare their checksum.</param>
    /// <exception cref="UserErrorException">The file is missing, cut off, damaged or no shard at all.</exception>
    public static TokenShard Open(string path, bool verify = true)
    {
        try
        {
            using FileStream stream = OrdinaryFile.Open(path);
            var bytes = new byte[TokenShardHeader.Size];
            int read = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            TokenShardHeader header = TokenShardHeader.Parse(bytes.AsSpan(0, read), stream.Length, out string? problem);
            if (problem is not null)
            {
                throw Unusable(path, problem);
            }

            var shard = new TokenShard(
                path, header, MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read));
            if (verify && shard.PayloadChecksum() != header.PayloadChecksum)
            {
                shard.Dispose();
                throw Unusable(path, "its tokens do not match their checksum");
            }

            return shard;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException(
                $"The token shard {path} cannot be read: {e.Message}", "Prepare the data again: espalier data prepare", e);
        }
    }

    /// <summary>Copies the tokens from <paramref name="start"/> on until <paramref name="destination"/> is full.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The shard has no such tokens.</exception>
    public void CopyTo(long start, Span<long> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start, Count - destination.Length);
        byte* from = _payload + (start * _header.BytesPerToken);
        if (_header.BytesPerToken == sizeof(ushort))
        {
            var tokens = new ReadOnlySpan<byte>(from, destination.Length * sizeof(ushort));
            for (int i = 0; i < destination.Length; i++)
            {
                destination[i] = BinaryPrimitives.ReadUInt16LittleEndian(tokens[(i * sizeof(ushort))..]);
            }
        }
        else
        {
            var tokens = new ReadOnlySpan<byte>(from, destination.Length * sizeof(uint));
            for (int i = 0; i < destination.Length; i++)
            {
                destination[i] = BinaryPrimitives.ReadUInt32LittleEndian(tokens[(i * sizeof(uint))..]);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_view.SafeMemoryMappedViewHandle.IsClosed)
        {
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _view.Dispose();
            _file.Dispose();
        }
    }

    private uint PayloadChecksum()
    {
        var checksum = new Crc32(Crc32ParameterSet.Crc32C);
        long length = Count * _header.BytesPerToken;
        for (long at = 0; at < length; at += ChunkBytes)
        {
            checksum.Append(new ReadOnlySpan<byte>(_payload + at, (int)Math.Min(ChunkBytes, length - at)));
        }

        return checksum.GetCurrentHashAsUInt32();
    }

    private static UserErrorException Unusable(string path, string why) =>
        new($"{path} is not a usable token shard: {why}.", "Prepare the data again: espalier data prepare");
}
