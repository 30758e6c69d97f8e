using System.Text;

namespace Espalier.Data;

/// <summary>Reads whole text files: UTF-8, a byte order mark left out, packed or not.</summary>
internal static class TextFile
{
    /// <summary>The text of a file; one whose name ends in .gz or .zst is unpacked.</summary>
    /// <exception cref="UserErrorException">It is missing, cannot be read, is cut off or is not UTF-8.</exception>
    public static string Read(string path)
    {
        try
        {
            using Stream stored = OrdinaryFile.Open(path);
            using Stream stream = PackedFile.Unpacked(stored, path);
            using var buffer = new MemoryStream();
            stream.CopyTo(buffer);
            ReadOnlyMemory<byte> text = buffer.GetBuffer().AsMemory(0, (int)buffer.Length);
            Corpus.RequireUtf8(text.Span, path, offset: 0);
            return Encoding.UTF8.GetString(Corpus.WithoutByteOrderMark(text).Span);
        }
        catch (Exception e) when (PackedFile.IsDamage(e))
        {
            throw PackedFile.Damaged(path, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw BadFile.Unreadable(path, e);
        }
    }

    /// <summary>How the name ends, its packing left aside: <c>.tsv</c> of <c>a.tsv.gz</c>.</summary>
    public static string Extension(string path) => Path.GetExtension(PackedFile.PlainName(path)).ToLowerInvariant();
}
