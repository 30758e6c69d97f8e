using System.IO.Compression;
using System.Text;
using Espalier.Data;

namespace Espalier.Tests.Data;

public class CorpusTests
{
    private static byte[] Zip(byte[] content)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionMode.Compress))
        {
            gzip.Write(content);
        }

        return packed.ToArray();
    }

    private static string[] Texts(params string[] paths) =>
        [.. Corpus.Open(paths).Documents().Select(document => $"{document.FileName}: {Encoding.UTF8.GetString(document.Text.Span)}")];

    [Fact]
    public void FoldersAreReadToAnyDepthInOrdinalOrder()
    {
        using var folder = new TemporaryFolder();
        folder.Write("b.txt", "second");
        folder.Write("B.txt", "\uFEFFfirst");
        folder.Write("c/z.jsonl.gz", Zip(Encoding.UTF8.GetBytes("{\"text\":\"one \\u00e9\"}\n\n{\"id\":{\"text\":1},\"text\":\"two\"}")));
        folder.Write("c/a.txt.gz", Zip("packed\n"u8.ToArray()));
        folder.Write("empty.txt", "");
        folder.Write("ignored.md", "no");
        Assert.Equal(
            ["B.txt: first", "b.txt: second", "c/a.txt.gz: packed\n", "c/z.jsonl.gz: one é", "c/z.jsonl.gz: two"],
            Texts(folder.Path));
    }

    [Fact]
    public void AnotherKeyMayHoldTheText()
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("a.jsonl", "\uFEFF{\"body\":\"x\",\"text\":\"y\"}\r\n");
        Assert.Equal("x", Encoding.UTF8.GetString(Corpus.Open([path], "body").Documents().Single().Text.Span));
    }

    [Fact]
    public void LinesLongerThanTheBufferArriveWhole()
    {
        using var folder = new TemporaryFolder();
        string[] texts = [new('a', 10), new('b', 65_520), new('c', 300_000), "d"];
        string path = folder.Write("a.jsonl", string.Concat(texts.Select(text => $"{{\"text\":\"{text}\"}}\n")));
        Assert.Equal(texts, Corpus.Open([path]).Documents().Select(document => Encoding.UTF8.GetString(document.Text.Span)));
    }

    [Fact]
    public void InvalidUtf8IsNamedByFileAndOffset()
    {
        using var folder = new TemporaryFolder();
        string text = folder.Write("a.txt", [(byte)'a', 0xC3, 0xA9, 0xFF]);
        string lines = folder.Write("a.jsonl", [.. "{\"text\":\"é\"}\n{\"text\":\""u8, 0xE9, .. "\"}"u8]);
        RequireError(text, "0xFF at offset 3", text);
        RequireError(lines, "0xE9 at offset 23", lines);
        RequireError(text, "offset 1", folder.Write("a.txt", [(byte)'a', 0xC3]));
    }

    [Theory]
    [InlineData("{\"text\":\"a\"}\n{\"text\":\n", ":2:9 is not valid JSON")]
    [InlineData("{\"text\":\"a\"}\n\n{\"txt\":\"a\"}", ":3 has no \"text\"")]
    [InlineData("{\"text\":7}", "not a string")]
    [InlineData("[1]", ":1 is not a JSON object")]
    [InlineData("{\"text\":\"a\"}\n{\"text\":\"a\"} x", ":2:14 is not valid JSON: 'x' is invalid after a single JSON value.")]
    [InlineData("{\"text\":\"\\ud800\"}", ":1 is not valid JSON")]
    [InlineData("{\"text\":\"\"}\n", "holds no text")]
    [InlineData("", "holds no text")]
    public void BadLinesAreNamed(string content, string named)
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("a.jsonl", content);
        RequireError(path, named, path);
    }

    [Fact]
    public void BadGzipIsNamed()
    {
        using var folder = new TemporaryFolder();
        string foreign = folder.Write("a.txt.gz", "not gzip at all");
        RequireError(foreign, "gzip", foreign);
        byte[] numbers = Encoding.UTF8.GetBytes(string.Join(' ', Enumerable.Range(0, 20_000)));
        byte[] whole = Zip(numbers);
        foreach (int missing in new[] { 1, 4, 8, 9, 100, whole.Length / 2, whole.Length - 5 })
        {
            string cut = folder.Write("b.txt.gz", whole[..^missing]);
            RequireError(cut, "gzip", cut);
        }

        // Two members, as concatenating two files makes them, are one text.
        string twice = folder.Write("b.txt.gz", [.. whole, .. whole]);
        Assert.Equal([.. numbers, .. numbers], Corpus.Open([twice]).Documents().SelectMany(piece => piece.Text.ToArray()));
    }

    /// <summary>Links to folders are followed, but not for ever.</summary>
    [Fact]
    public void LinksThatLeadBackAreNotFollowed()
    {
        using var folder = new TemporaryFolder();
        using var elsewhere = new TemporaryFolder();
        folder.Write("a/one.txt", "one");
        elsewhere.Write("two.txt", "two");
        Directory.CreateSymbolicLink(folder.File("a/up"), folder.Path);
        Directory.CreateSymbolicLink(folder.File("a/b"), elsewhere.Path);
        Directory.CreateSymbolicLink(elsewhere.File("back"), folder.File("a"));
        Assert.Equal(["a/b/two.txt", "a/one.txt"], Corpus.Open([folder.Path]).Files.Select(file => file.Name));
        Assert.True(Corpus.IsText(folder.Path));
    }

    [Fact]
    public void PipesAndDevicesAreNoTexts()
    {
        using var folder = new TemporaryFolder();
        System.Diagnostics.Process.Start("mkfifo", [folder.File("pipe.txt")]).WaitForExit();
        RequireError(folder.File("pipe.txt"), "is a pipe", folder.File("pipe.txt"));
        RequireError(folder.File("pipe.txt"), "is a pipe", folder.Path);
        File.Delete(folder.File("pipe.txt"));
        File.CreateSymbolicLink(folder.File("zero.txt"), "/dev/zero");
        RequireError(folder.File("zero.txt"), "is a device", folder.File("zero.txt"));
    }

    [Fact]
    public void MissingAndUnknownFilesAreNamed()
    {
        using var folder = new TemporaryFolder();
        RequireError(folder.File("missing"), "does not exist", folder.File("missing"));
        RequireError(folder.Path, "holds no text", folder.Path);
        string foreign = folder.Write("a.pdf", "x");
        RequireError(foreign, "unknown kind", foreign);
        Assert.Throws<UserErrorException>(() => Corpus.Open([]));
    }

    private static void RequireError(string culprit, string named, string path)
    {
        var error = Assert.Throws<UserErrorException>(() => Texts(path));
        Assert.Contains(culprit, error.Message, StringComparison.Ordinal);
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }
}
