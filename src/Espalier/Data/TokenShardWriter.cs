using System.Buffers.Binary;
using System.IO.Hashing;

namespace Espalier.Data;

/// <summary>
/// Writes a token shard. The file appears under its name when <see cref="Complete"/> has forced it to disk, and never
/// before; a writer that is disposed of without it leaves nothing.
/// </summary>
internal sealed class TokenShardWriter : IDisposable
{
    private readonly string _path, _temporary, _fingerprint;
    private readonly int _vocabularySize, _bytesPerToken;
    private readonly FileStream _stream;
    private readonly Crc32 _checksum = new(Crc32ParameterSet.Crc32C);
    private byte[] _buffer = [];

    /// <summary>Begins a shard.</summary>
    /// <param name="path">The file to be.</param>
    /// <param name="vocabularySize">The size of the vocabulary: up to 65536, tokens take two bytes; beyond, four.</param>
    /// <param name="tokenizerFingerprint">The <see cref="Tokenizer.Fingerprint"/> of the tokenizer.</param>
    /// <exception cref="UserErrorException">The file cannot be written.</exception>
    public TokenShardWriter(string path, int vocabularySize, string tokenizerFingerprint)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(vocabularySize);
        _path = path;
        _vocabularySize = vocabularySize;
        _fingerprint = tokenizerFingerprint;
        _bytesPerToken = TokenShardHeader.WidthFor(vocabularySize);
        try
        {
            _temporary = TemporaryName.In(Path.GetDirectoryName(Path.GetFullPath(path))!);
            _stream = AtomicFile.Create(_temporary);
            _stream.Write(new byte[TokenShardHeader.Size]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CannotWrite(e);
        }
    }

    /// <summary>The number of tokens so far.</summary>
    public long Count { get; private set; }

    /// <summary>Appends tokens.</summary>
    /// <exception cref="UserErrorException">The file cannot be written, for example because the disk is full.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A token is outside the vocabulary.</exception>
    public void Append(ReadOnlySpan<int> tokens)
    {
        if (_buffer.Length < tokens.Length * _bytesPerToken)
        {
            _buffer = new byte[tokens.Length * _bytesPerToken];
        }

        Span<byte> bytes = _buffer.AsSpan(0, tokens.Length * _bytesPerToken);
        for (int i = 0; i < tokens.Length; i++)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)tokens[i], (uint)_vocabularySize, nameof(tokens));
            if (_bytesPerToken == sizeof(ushort))
            {
                BinaryPrimitives.WriteUInt16LittleEndian(bytes[(i * sizeof(ushort))..], (ushort)tokens[i]);
            }
            else
            {
                BinaryPrimitives.WriteInt32LittleEndian(bytes[(i * sizeof(uint))..], tokens[i]);
            }
        }

        try
        {
            _stream.Write(bytes);
        }
        catch (IOException e)
        {
            throw CannotWrite(e);
        }

        _checksum.Append(bytes);
        Count += tokens.Length;
    }

    /// <summary>Writes the header, forces everything to disk and gives the file its name.</summary>
    /// <exception cref="UserErrorException">The file cannot be written.</exception>
    public void Complete()
    {
        var header = new TokenShardHeader(_bytesPerToken, _vocabularySize, Count, _fingerprint, _checksum.GetCurrentHashAsUInt32());
        try
        {
            _stream.Position = 0;
            _stream.Write(header.ToBytes());
            _stream.Flush(flushToDisk: true);
            _stream.Dispose();
            File.Move(_temporary, _path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CannotWrite(e);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        try
        {
            _stream.Dispose();
        }
        catch (IOException)
        {
            // What could not be written any more belongs to the file that is deleted next.
        }

        AtomicFile.TryDelete(_temporary);
    }

    private UserErrorException CannotWrite(Exception e) =>
        new($"The token shard {_path} cannot be written: {e.Message}", inner: e);
}
