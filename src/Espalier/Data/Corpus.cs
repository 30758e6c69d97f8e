using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Espalier.Data;

/// <summary>One file of a corpus.</summary>
/// <param name="Path">Where it lies.</param>
/// <param name="Name">Its name relative to the folder that was named, with <c>/</c> between folders.</param>
/// <param name="Length">Its length in bytes, as stored.</param>
public sealed record CorpusFile(string Path, string Name, long Length);

/// <summary>
/// Plain text to train on: <c>.txt</c> files, each one document, and <c>.jsonl</c> files, each line one document; either
/// may be compressed as <c>.gz</c>. Files of a folder come in ordinal order of their names. Documents are streamed: only
/// one is in memory at a time.
/// </summary>
public sealed class Corpus
{
    private static readonly string[] Endings = [".txt", ".jsonl", ".txt.gz", ".jsonl.gz"];

    private Corpus(IReadOnlyList<CorpusFile> files, string textKey)
    {
        Files = files;
        TextKey = textKey;
        Length = files.Sum(file => file.Length);
    }

    /// <summary>The files, in the order in which they are read.</summary>
    public IReadOnlyList<CorpusFile> Files { get; }

    /// <summary>The key of the text in the lines of .jsonl files.</summary>
    public string TextKey { get; }

    /// <summary>The length of all files together in bytes, as stored.</summary>
    public long Length { get; }

    /// <summary>Finds the files of a corpus.</summary>
    /// <param name="paths">Files and folders; folders are searched to any depth.</param>
    /// <param name="textKey">The key of the text in the lines of .jsonl files.</param>
    /// <exception cref="UserErrorException">A path is missing, or none holds a file with a known ending.</exception>
    public static Corpus Open(IEnumerable<string> paths, string textKey = "text")
    {
        var files = new List<CorpusFile>();
        foreach (string path in paths)
        {
            int before = files.Count;
            if (Directory.Exists(path))
            {
                files.AddRange(Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories)
                    .Where(HasKnownEnding)
                    .Select(file => FileAt(file, Path.GetRelativePath(path, file).Replace('\\', '/')))
                    .OrderBy(file => file.Name, StringComparer.Ordinal));
                if (files.Count == before)
                {
                    throw new UserErrorException(
                        $"The folder {path} holds no text.", $"Files must end in {string.Join(", ", Endings)}.");
                }
            }
            else if (!File.Exists(path))
            {
                throw new UserErrorException($"{path} does not exist.", "Name a text file or a folder of text files.");
            }
            else if (!HasKnownEnding(path))
            {
                throw new UserErrorException(
                    $"{path} is of an unknown kind.", $"Text files must end in {string.Join(", ", Endings)}.");
            }
            else
            {
                files.Add(FileAt(path, Path.GetFileName(path)));
            }
        }

        return files.Count > 0
            ? new Corpus(files, textKey)
            : throw new UserErrorException("There is no text.", "Name at least one text file or folder of text files.");
    }

    /// <summary>Reads the documents one after the other, leaving out empty ones.</summary>
    /// <exception cref="UserErrorException">
    /// A file cannot be read, is not UTF-8, or has a line without a text; or there is not one document that is not empty.
    /// </exception>
    public IEnumerable<Document> Documents()
    {
        bool any = false;
        long readBefore = 0;
        foreach (CorpusFile file in Files)
        {
            foreach (Document document in DocumentsOf(file, readBefore))
            {
                any = true;
                yield return document;
            }

            readBefore += file.Length;
        }

        if (!any)
        {
            throw new UserErrorException(
                Files.Count == 1 ? $"{Files[0].Path} holds no text." : $"None of the {Files.Count} files holds any text.");
        }
    }

    private IEnumerable<Document> DocumentsOf(CorpusFile file, long readBefore)
    {
        using Stream stored = OpenFile(file.Path);
        using Stream stream = file.Path.EndsWith(".gz", StringComparison.Ordinal)
            ? new WholeGzipStream(stored)
            : stored;
        bool lines = file.Name.EndsWith(".jsonl", StringComparison.Ordinal) || file.Name.EndsWith(".jsonl.gz", StringComparison.Ordinal);
        using IEnumerator<ReadOnlyMemory<byte>> texts =
            (lines ? JsonLines.Texts(stream, file.Path, TextKey) : WholeText(stream, file.Path)).GetEnumerator();
        while (Advance(texts, file.Path))
        {
            if (!texts.Current.IsEmpty)
            {
                yield return new Document(file.Name, texts.Current, readBefore + stored.Position);
            }
        }
    }

    private static bool Advance(IEnumerator<ReadOnlyMemory<byte>> texts, string path)
    {
        try
        {
            return texts.MoveNext();
        }
        catch (InvalidDataException e)
        {
            throw new UserErrorException($"{path} is not a whole gzip file: {e.Message}", inner: e);
        }
        catch (IOException e)
        {
            throw new UserErrorException($"{path} cannot be read: {e.Message}", inner: e);
        }
    }

    private static IEnumerable<ReadOnlyMemory<byte>> WholeText(Stream stream, string path)
    {
        using var buffer = new MemoryStream();
        stream.CopyTo(buffer);
        ReadOnlyMemory<byte> text = buffer.GetBuffer().AsMemory(0, (int)buffer.Length);
        RequireUtf8(text.Span, path, offset: 0);
        yield return WithoutByteOrderMark(text);
    }

    /// <summary>Leaves out a UTF-8 byte order mark at the start.</summary>
    internal static ReadOnlyMemory<byte> WithoutByteOrderMark(ReadOnlyMemory<byte> text) =>
        text.Span.StartsWith("\uFEFF"u8) ? text[3..] : text;

    /// <summary>Refuses bytes that are not UTF-8, naming the first one's place in the (unpacked) file.</summary>
    internal static void RequireUtf8(ReadOnlySpan<byte> text, string path, long offset)
    {
        if (Utf8.IsValid(text))
        {
            return;
        }

        int at = 0;
        while (Rune.DecodeFromUtf8(text[at..], out _, out int width) == OperationStatus.Done)
        {
            at += width;
        }

        throw new UserErrorException(
            $"{path} is not UTF-8: the byte 0x{text[at]:X2} at offset {offset + at} does not belong there.",
            "Convert it first, for example: iconv -f ISO-8859-1 -t UTF-8");
    }

    private static Stream OpenFile(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{path} cannot be read: {e.Message}", inner: e);
        }
    }

    private static CorpusFile FileAt(string path, string name) => new(path, name, new FileInfo(path).Length);

    private static bool HasKnownEnding(string path) => Endings.Any(ending => path.EndsWith(ending, StringComparison.Ordinal));
}
