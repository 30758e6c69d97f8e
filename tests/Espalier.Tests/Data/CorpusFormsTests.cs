using System.Text;
using Espalier.Data;
using Parquet;
using Parquet.Schema;

namespace Espalier.Tests.Data;

/// <summary>The forms in which texts come beside .txt and .jsonl.</summary>
public sealed class CorpusFormsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static byte[] Zstandard(byte[] content)
    {
        using var packed = new MemoryStream();
        using (var zstd = new ZstdSharp.CompressionStream(packed, leaveOpen: true))
        {
            zstd.Write(content);
        }

        return packed.ToArray();
    }

    private static string[] Texts(string path, string column = "text", TextDocuments documents = TextDocuments.File) =>
        [.. Corpus.Open([path], column, documents).Documents().Select(document => Encoding.UTF8.GetString(document.Text.Span))];

    private static string Error(Func<object> read)
    {
        var error = Assert.Throws<UserErrorException>(read);
        return $"{error.Message} {error.Hint}";
    }

    /// <summary>Two row groups with a column of texts, of bytes, of numbers, and a nested one.</summary>
    private async Task<string> ParquetFile(byte[] bytes)
    {
        var text = new DataField<string>("text");
        var raw = new DataField<byte[]>("raw");
        var number = new DataField<int>("number");
        var item = new DataField<string>("element", nullable: true);
        var schema = new ParquetSchema(text, raw, number, new ListField("list", item));
        string path = _folder.File("a.parquet");
        using FileStream file = File.Create(path);
        await using ParquetWriter writer = await ParquetWriter.CreateAsync(schema, file);
        foreach (string last in new[] { "x", "y" })
        {
            using ParquetRowGroupWriter rows = writer.CreateRowGroup();
            await rows.WriteAsync(text, new List<string> { "Wörter", null!, "", last });
            await rows.WriteAsync(raw, new List<byte[]> { bytes, null!, Array.Empty<byte>(), Encoding.UTF8.GetBytes(last) });
            await rows.WriteAsync<int>(number, new int[] { 1, 2, 3, 4 });
            await rows.WriteAsync(item, new List<string> { "a", "b", "c", "d" }, new int[] { 0, 0, 0, 0 });
        }

        return path;
    }

    [Fact]
    public async Task TextsOfAParquetColumnComeInOrder()
    {
        string path = await ParquetFile("é"u8.ToArray());
        Assert.Equal(["Wörter", "x", "Wörter", "y"], Texts(path));
        Assert.Equal(["é", "x", "é", "y"], Texts(path, "raw"));
    }

    [Fact]
    public async Task ColumnsWithoutTextAreNamed()
    {
        string path = await ParquetFile([0xFF]);
        Assert.Contains("no column \"body\". Columns of text are: text.", Error(() => Texts(path, "body")), StringComparison.Ordinal);
        Assert.Contains("\"number\" of " + path + " holds Int32, not text", Error(() => Texts(path, "number")), StringComparison.Ordinal);
        Assert.Contains("\"list\" of " + path + " is nested", Error(() => Texts(path, "list")), StringComparison.Ordinal);
        Assert.Contains("not UTF-8: the byte 0xFF", Error(() => Texts(path, "raw")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ParquetThatIsCutOffIsNamed()
    {
        byte[] whole = File.ReadAllBytes(await ParquetFile([65]));
        foreach (int length in new[] { 0, 1, 4, 12, whole.Length / 2, whole.Length - 8, whole.Length - 1 })
        {
            string cut = _folder.Write("cut.parquet", whole[..length]);
            Assert.Contains($"{cut} is not a whole parquet file", Error(() => Texts(cut)), StringComparison.Ordinal);
        }
    }

    /// <summary>Wherever bytes are damaged, reading ends soon: with texts, or with one message that names the file.</summary>
    [Fact]
    public async Task DamagedParquetEndsSoon()
    {
        byte[] whole = File.ReadAllBytes(await ParquetFile([65]));
        int refused = 0;
        for (int seed = 0; seed < 3000; seed++)
        {
            // The footer, which says where everything is and how much, is hit more often than the rest.
            var random = new Random(seed);
            byte[] bytes = [.. whole];
            for (int damages = random.Next(1, 4); damages > 0; damages--)
            {
                bytes[random.Next(seed % 2 * whole.Length / 2, whole.Length)] = (byte)random.Next(256);
            }

            string path = _folder.Write("damaged.parquet", bytes);
            Task<string> reading = Task.Run(() =>
            {
                try
                {
                    return string.Concat(Texts(path));
                }
                catch (UserErrorException error)
                {
                    Interlocked.Increment(ref refused);
                    return error.Message;
                }
            });
            Assert.Same(reading, await Task.WhenAny(reading, Task.Delay(TimeSpan.FromSeconds(10))));
            Assert.NotNull(await reading);
        }

        Assert.InRange(refused, 500, 2999);
    }

    [Fact]
    public void ZstandardIsUnpackedAndMustBeWhole()
    {
        byte[] numbers = Encoding.UTF8.GetBytes(string.Join(' ', Enumerable.Range(0, 20_000)));
        byte[] packed = Zstandard(numbers);
        Assert.Equal(Encoding.UTF8.GetString(numbers), string.Concat(Texts(_folder.Write("a.txt.zst", packed))));
        Assert.Equal(["one", "two"], Texts(_folder.Write("a.jsonl.zst", Zstandard("{\"text\":\"one\"}\n{\"text\":\"two\"}"u8.ToArray()))));

        // Two frames, as concatenating two files makes them, are one text.
        Assert.Equal(2 * numbers.Length, string.Concat(Texts(_folder.Write("a.txt.zst", [.. packed, .. packed]))).Length);
        foreach (int missing in new[] { 1, 5, packed.Length / 2, packed.Length - 3 })
        {
            string cut = _folder.Write("b.txt.zst", packed[..^missing]);
            Assert.Contains($"{cut} is not a whole Zstandard file: it is cut off.", Error(() => Texts(cut)), StringComparison.Ordinal);
        }

        string foreign = _folder.Write("c.txt.zst", "not packed at all");
        Assert.Contains($"{foreign} is not a whole Zstandard file", Error(() => Texts(foreign)), StringComparison.Ordinal);
        Assert.Equal("packed", TextFile.Read(_folder.Write("d.tsv.zst", Zstandard("packed"u8.ToArray()))));
    }

    [Fact]
    public void LinesOrParagraphsMayBeDocuments()
    {
        string path = _folder.Write("a.txt", "\uFEFFone\r\n \ntwo é\nthree\n\n\nfour");
        Assert.Equal(["one", "two é", "three", "four"], Texts(path, documents: TextDocuments.Line));
        Assert.Equal(["one", "two é\nthree", "four"], Texts(path, documents: TextDocuments.BlankLine));
        string bad = _folder.Write("b.txt", [.. "a\nb\n"u8, 0xFF]);
        Assert.Contains("0xFF at offset 4", Error(() => Texts(bad, documents: TextDocuments.Line)), StringComparison.Ordinal);
        Assert.Contains("holds no text", Error(() => Texts(_folder.Write("c.txt", "\n \n"), documents: TextDocuments.BlankLine)), StringComparison.Ordinal);
    }
}
