using System.Text;

namespace Espalier.Data;

/// <summary>Reads whole text files: UTF-8, a byte order mark left out, packed by gzip or not.</summary>
internal static class TextFile
{
    /// <summary>The text of a file; one whose name ends in .gz is unpacked.</summary>
    /// <exception cref="UserErrorException">It is missing, cannot be read, is cut off or is not UTF-8.</exception>
    public static string Read(string path)
    {
        try
        {
            using Stream stored = OrdinaryFile.Open(path);
            using Stream stream = IsPacked(path) ? new WholeGzipStream(stored) : stored;
            using var buffer = new MemoryStream();
            stream.CopyTo(buffer);
            ReadOnlyMemory<byte> text = buffer.GetBuffer().AsMemory(0, (int)buffer.Length);
            Corpus.RequireUtf8(text.Span, path, offset: 0);
            return Encoding.UTF8.GetString(Corpus.WithoutByteOrderMark(text).Span);
        }
        catch (InvalidDataException e)
        {
            throw new UserErrorException($"{path} is not a whole gzip file: {e.Message}", inner: e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw BadFile.Unreadable(path, e);
        }
    }

    /// <summary>How the name ends, .gz left aside: <c>.tsv</c> of <c>a.tsv.gz</c>.</summary>
    public static string Extension(string path) =>
        Path.GetExtension(IsPacked(path) ? path[..^".gz".Length] : path).ToLowerInvariant();

    private static bool IsPacked(string path) => path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase);
}
