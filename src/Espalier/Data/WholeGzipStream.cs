using System.IO.Compression;

namespace Espalier.Data;

/// <summary>
/// Unpacks gzip and notices when the file is cut off, which .NET's own stream takes for its end. To this purpose a gzip
/// member with a known content is read after the file's own: if it does not come out at the end, the file was not whole.
/// </summary>
/// <param name="packed">The gzip file, of one or more members.</param>
internal sealed class WholeGzipStream(Stream packed) : ReadOnlyStream
{
    private static readonly byte[] Mark = Guid.Parse("6c1f6d5a-5a43-4e0b-9e0c-35d2f2a7b1c4").ToByteArray();
    private static readonly byte[] PackedMark = Pack(Mark);

    private readonly GZipStream _unpacked = new(new Appended(packed, PackedMark), CompressionMode.Decompress);
    private readonly byte[] _held = new byte[1 << 16];
    private int _start, _end;

    /// <inheritdoc/>
    /// <exception cref="InvalidDataException">The file is cut off or no gzip.</exception>
    public override int Read(Span<byte> buffer)
    {
        // The last bytes so far are held back, since they may turn out to be the mark.
        while (_end - _start <= Mark.Length)
        {
            _held.AsSpan(_start, _end - _start).CopyTo(_held);
            (_start, _end) = (0, _end - _start);
            int read = _unpacked.Read(_held, _end, _held.Length - _end);
            if (read == 0)
            {
                return _held.AsSpan(_start, _end - _start).SequenceEqual(Mark) ? 0 : throw new InvalidDataException("it is cut off, or something else follows it.");
            }

            _end += read;
        }

        int count = Math.Min(buffer.Length, _end - _start - Mark.Length);
        _held.AsSpan(_start, count).CopyTo(buffer);
        _start += count;
        return count;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _unpacked.Dispose();
        base.Dispose(disposing);
    }

    private static byte[] Pack(byte[] content)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionMode.Compress))
        {
            gzip.Write(content);
        }

        return packed.ToArray();
    }

    /// <summary>A stream with some bytes after its end.</summary>
    private sealed class Appended(Stream first, byte[] last) : ReadOnlyStream
    {
        private int _position;

        public override int Read(Span<byte> buffer)
        {
            int read = first.Read(buffer);
            if (read > 0 || buffer.IsEmpty)
            {
                return read;
            }

            int count = Math.Min(buffer.Length, last.Length - _position);
            last.AsSpan(_position, count).CopyTo(buffer);
            _position += count;
            return count;
        }
    }
}

/// <summary>What every stream that can only be read forward has in common.</summary>
internal abstract class ReadOnlyStream : Stream
{
    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public abstract override int Read(Span<byte> buffer);

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
