using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;

namespace Espalier.Interop;

/// <summary>
/// A safetensors file, memory-mapped: opening reads the header only, and a tensor's bytes come from the disk when they
/// are touched. Everything in the header is checked before anything is believed.
/// </summary>
internal sealed unsafe class SafetensorsFile : IDisposable
{
    private const int LengthBytes = 8;
    private const long MaximumHeader = 100_000_000;

    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private readonly SafetensorsHeader _header;
    private readonly byte* _buffer;
    private bool _disposed;

    private SafetensorsFile(string path, FileStream stream)
    {
        Path = path;
        _map = MemoryMappedFile.CreateFromFile(
            stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
        _view = _map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        byte* start = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        start += _view.PointerOffset;
        try
        {
            long fileLength = stream.Length;
            ulong headerLength = BinaryPrimitives.ReadUInt64LittleEndian(new ReadOnlySpan<byte>(start, LengthBytes));
            if (headerLength > MaximumHeader)
            {
                throw Damaged(path, $"its header claims {headerLength} bytes, more than the format's 100 MB");
            }

            long bufferLength = fileLength - LengthBytes - (long)headerLength;
            if (bufferLength < 0)
            {
                throw Damaged(path, $"its header claims {headerLength} bytes, but only {fileLength - LengthBytes} follow");
            }

            _header = SafetensorsHeader.Parse(
                path, new ReadOnlySpan<byte>(start + LengthBytes, (int)headerLength), bufferLength);
            _buffer = start + LengthBytes + headerLength;
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The path the file was opened by.</summary>
    public string Path { get; }

    /// <summary>All tensors, in the order of their bytes.</summary>
    public IReadOnlyList<SafetensorsEntry> Entries => _header.InFileOrder;

    /// <summary>The names of all tensors, in the order of their bytes.</summary>
    public IEnumerable<string> Names => Entries.Select(entry => entry.Name);

    /// <summary>The <c>__metadata__</c> map; empty where the file has none.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _header.Metadata;

    /// <summary>Whether the file holds a tensor of that name.</summary>
    public bool Contains(string name) => _header.Entries.ContainsKey(name);

    /// <summary>The tensor of that name.</summary>
    /// <exception cref="UserErrorException">The file holds no such tensor.</exception>
    public SafetensorsEntry this[string name] => _header.Entries.TryGetValue(name, out SafetensorsEntry? entry)
        ? entry
        : throw new UserErrorException($"'{Path}' holds no tensor '{name}'.");

    /// <summary>Opens and checks a file.</summary>
    /// <exception cref="UserErrorException">The file is missing, unreadable, truncated or breaks the format.</exception>
    public static SafetensorsFile Open(string path)
    {
        FileStream? stream = null;
        try
        {
            OrdinaryFile.Require(path);
            stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, 1);
            return stream.Length < LengthBytes
                ? throw Damaged(path, $"it is {stream.Length} bytes long, shorter than any safetensors file")
                : new SafetensorsFile(path, stream);
        }
        catch (Exception e)
        {
            stream?.Dispose();
            if (e is FileNotFoundException or DirectoryNotFoundException)
            {
                throw new UserErrorException($"'{path}' does not exist.", inner: e);
            }

            if (e is IOException or UnauthorizedAccessException)
            {
                throw new UserErrorException($"Cannot read '{path}': {e.Message}", inner: e);
            }

            throw;
        }
    }

    /// <summary>The bytes of a tensor: little-endian, row-major. Valid until <see cref="Dispose"/>.</summary>
    /// <exception cref="UserErrorException">There is no such tensor.</exception>
    /// <exception cref="OverflowException">The tensor has 2 GiB or more: use <see cref="Bytes(string, long, int)"/>.</exception>
    public ReadOnlySpan<byte> Bytes(string name) => Bytes(name, 0, checked((int)this[name].ByteLength));

    /// <summary>Some of the bytes of a tensor, which may have any number of them. Valid until <see cref="Dispose"/>.</summary>
    /// <exception cref="UserErrorException">There is no such tensor.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The tensor ends before.</exception>
    public ReadOnlySpan<byte> Bytes(string name, long offset, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, this[name].ByteLength - offset, nameof(count));
        return new ReadOnlySpan<byte>((byte*)Address(name) + offset, count);
    }

    /// <summary>
    /// The address of a tensor's first byte, followed by <see cref="SafetensorsEntry.ByteLength"/> readable bytes. Valid
    /// until <see cref="Dispose"/>; not necessarily aligned.
    /// </summary>
    /// <exception cref="UserErrorException">There is no such tensor.</exception>
    public nint Address(string name)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return (nint)(_buffer + this[name].Offset);
    }

    /// <summary>Unmaps the file.</summary>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _view.Dispose();
            _map.Dispose();
        }
    }

    internal static UserErrorException Damaged(string path, string flaw, Exception? inner = null) => new(
        $"'{path}' is not a sound safetensors file: {flaw}.",
        "It may be cut short or not a safetensors file at all: copy or download it again.",
        inner);
}
