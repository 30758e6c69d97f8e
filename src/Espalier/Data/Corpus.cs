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
/// Text to train on: <c>.txt</c> files, each one document unless said otherwise, <c>.jsonl</c> files, each line one
/// document, either also packed as <c>.gz</c> or <c>.zst</c>, and <c>.parquet</c> files, each row one document. Files of a
/// folder come in ordinal order of their names. All is streamed: only a line of a .jsonl file, a piece of a .txt file or
/// a row group of a .parquet file is in memory at a time.
/// </summary>
public sealed class Corpus
{
    private const string Parquet = ".parquet";
    private static readonly string[] Endings = [".txt", ".jsonl", ".txt.gz", ".jsonl.gz", ".txt.zst", ".jsonl.zst", Parquet];

    private Corpus(IReadOnlyList<CorpusFile> files, string textKey, TextDocuments documents)
    {
        Files = files;
        TextKey = textKey;
        TextDocuments = documents;
        Length = files.Sum(file => file.Length);
    }

    /// <summary>The files, in the order in which they are read.</summary>
    public IReadOnlyList<CorpusFile> Files { get; }

    /// <summary>The key of the text in the lines of .jsonl files, and the name of its column in .parquet files.</summary>
    public string TextKey { get; }

    /// <summary>What is one document of a .txt file.</summary>
    public TextDocuments TextDocuments { get; }

    /// <summary>The inputs that were named, if each got a weight; else empty.</summary>
    internal IReadOnlyList<WeightedInput> Weighted { get; private init; } = [];

    /// <summary>The length of all files together in bytes, as stored.</summary>
    public long Length { get; }

    /// <summary>How long a piece of a .txt file becomes in bytes, unless no place to cut comes before.</summary>
    internal int PieceBytes { get; set; } = 1 << 16;

    /// <summary>Finds the files of a corpus.</summary>
    /// <param name="paths">Files and folders; folders are searched to any depth.</param>
    /// <param name="textKey">The key of the text in the lines of .jsonl files, and its column in .parquet files.</param>
    /// <param name="documents">What is one document of a .txt file.</param>
    /// <param name="weights">
    /// The shares of the paths in the training text, in proportion to each other: see <see cref="CorpusPreparer"/>. One for
    /// each path; null to take all text once.
    /// </param>
    /// <exception cref="UserErrorException">
    /// A path is missing, or none holds a file with a known ending; or a weight is not positive.
    /// </exception>
    public static Corpus Open(
        IEnumerable<string> paths,
        string textKey = "text",
        TextDocuments documents = TextDocuments.File,
        IReadOnlyList<double>? weights = null)
    {
        var files = new List<CorpusFile>();
        var weighted = new List<WeightedInput>();
        foreach (string path in paths)
        {
            int before = files.Count;
            if (Directory.Exists(path))
            {
                files.AddRange(FilesIn(path)
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

            if (weights is not null)
            {
                weighted.Add(new WeightedInput(path, weights[weighted.Count], files.Count - before));
            }
        }

        return files.Count > 0
            ? new Corpus(files, textKey, documents) { Weighted = weighted }
            : throw new UserErrorException("There is no text.", "Name at least one text file or folder of text files.");
    }

    /// <summary>Whether a path is a file with a known ending, or a folder that holds one at any depth.</summary>
    internal static bool IsText(string path) => Directory.Exists(path)
        ? FilesIn(path, ignoreInaccessible: true).Any(HasKnownEnding)
        : File.Exists(path) && HasKnownEnding(path);

    /// <summary>
    /// Reads the documents one after the other, leaving out empty ones; .txt files, which may be of any length, in pieces.
    /// </summary>
    /// <exception cref="UserErrorException">
    /// A file cannot be read, is not UTF-8, or has a line without a text; there is not one document that is not empty; or
    /// more than a gigabyte of text cannot be cut.
    /// </exception>
    public IEnumerable<Document> Documents() => Documents(whole: false);

    /// <summary>The same, with .txt files as pieces only where <paramref name="tokenizer"/> encodes pieces like the whole.</summary>
    internal IEnumerable<Document> DocumentsFor(Tokenizer tokenizer) => Documents(whole: !tokenizer.EncodesPieces);

    /// <summary>Whether a file has a document that is not empty; no more of it than that is read.</summary>
    /// <exception cref="UserErrorException">It cannot be read, is not UTF-8, or has a line without a text.</exception>
    internal bool HasText(CorpusFile file) => DocumentsOf(file, readBefore: 0, whole: false).Any();

    private IEnumerable<Document> Documents(bool whole)
    {
        bool any = false;
        long readBefore = 0;
        foreach (CorpusFile file in Files)
        {
            foreach (Document document in DocumentsOf(file, readBefore, whole))
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

    /// <summary>The documents of one file.</summary>
    internal IEnumerable<Document> DocumentsOf(CorpusFile file, long readBefore, bool whole)
    {
        using Stream stored = OpenFile(file.Path);
        using Stream stream = PackedFile.Unpacked(stored, file.Path);
        bool isText = TextFile.Extension(file.Path) == ".txt", inPieces = isText && TextDocuments == TextDocuments.File;
        using IEnumerator<ReadOnlyMemory<byte>> texts =
            (!isText ? Rows(stream, file.Path)
            : TextDocuments == TextDocuments.Line ? Lines.Each(stream, file.Path)
            : TextDocuments == TextDocuments.BlankLine ? Lines.BetweenBlank(stream, file.Path)
            : Pieces(stream, file.Path, whole)).GetEnumerator();
        bool continues = false;
        while (Advance(texts, file.Path))
        {
            if (!texts.Current.IsEmpty)
            {
                yield return new Document(file.Name, texts.Current, readBefore + stored.Position) { Continues = continues };
                continues = inPieces;
            }
        }
    }

    private IEnumerable<ReadOnlyMemory<byte>> Rows(Stream stream, string path) =>
        path.EndsWith(Parquet, StringComparison.Ordinal) ? ParquetTexts.Of(stream, path, TextKey) : JsonLines.Texts(stream, path, TextKey);

    private static bool Advance(IEnumerator<ReadOnlyMemory<byte>> texts, string path)
    {
        try
        {
            return texts.MoveNext();
        }
        catch (Exception e) when (PackedFile.IsDamage(e))
        {
            throw PackedFile.Damaged(path, e);
        }
        catch (IOException e)
        {
            throw BadFile.Unreadable(path, e);
        }
    }

    private IEnumerable<ReadOnlyMemory<byte>> Pieces(Stream stream, string path, bool whole)
    {
        byte[] buffer = [];
        int end = 0;
        long offset = 0;
        while (true)
        {
            if (end >= Array.MaxLength / 2)
            {
                throw new UserErrorException(
                    $"{path} has more than a gigabyte of text that cannot be cut at offset {offset}.",
                    "Text is cut before spaces and newlines, unless the tokenizer has added tokens with white space in or around them.");
            }

            int wanted = Math.Max(PieceBytes, 2 * end);
            if (buffer.Length < wanted)
            {
                Array.Resize(ref buffer, wanted);
            }

            end += stream.ReadAtLeast(buffer.AsSpan(end, wanted - end), wanted - end, throwOnEndOfStream: false);
            bool ended = end < wanted;
            int length = ended ? end : whole ? 0 : LastCut(buffer.AsSpan(0, end));
            if (length > 0)
            {
                byte[] piece = buffer[..length];
                RequireUtf8(piece, path, offset);
                yield return offset == 0 ? WithoutByteOrderMark(piece) : piece;
            }

            if (ended)
            {
                yield break;
            }

            buffer.AsSpan(length, end - length).CopyTo(buffer);
            end -= length;
            offset += length;
        }
    }

    /// <summary>
    /// The last place where a text can be cut such that the tokens, and the words, of both sides are those of the whole: a
    /// space or newline after a character that is no white space. Runs of white space must stay whole, because GPT-2's
    /// splitter leaves their last character to the word that follows. 0 where there is none.
    /// </summary>
    private static int LastCut(ReadOnlySpan<byte> text)
    {
        while (text.LastIndexOfAny((byte)' ', (byte)'\n') is int cut and > 0)
        {
            text = text[..cut];
            if (Rune.DecodeLastFromUtf8(text, out Rune before, out _) != OperationStatus.Done || !Rune.IsWhiteSpace(before))
            {
                return cut;
            }
        }

        return 0;
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
            return OrdinaryFile.Open(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw BadFile.Unreadable(path, e);
        }
    }

    private static CorpusFile FileAt(string path, string name)
    {
        OrdinaryFile.Require(path);
        return new CorpusFile(path, name, new FileInfo(path).Length);
    }

    /// <summary>The files of a folder at any depth. Links to folders are followed, unless they lead back to one on the way.</summary>
    private static IEnumerable<string> FilesIn(string folder, bool ignoreInaccessible = false)
    {
        var options = new EnumerationOptions { IgnoreInaccessible = ignoreInaccessible, AttributesToSkip = FileAttributes.None };
        return In(folder, []);

        IEnumerable<string> In(string folder, IReadOnlyList<(uint, uint, ulong)?> way)
        {
            (uint, uint, ulong)? identity = OrdinaryFile.Identity(folder);
            if (identity is not null && way.Contains(identity))
            {
                return [];
            }

            return Directory.EnumerateFiles(folder, "*", options).Concat(
                Directory.EnumerateDirectories(folder, "*", options).SelectMany(inner => In(inner, [.. way, identity])));
        }
    }

    private static bool HasKnownEnding(string path) => Endings.Any(ending => path.EndsWith(ending, StringComparison.Ordinal));
}
