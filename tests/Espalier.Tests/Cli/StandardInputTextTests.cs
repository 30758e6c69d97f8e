using System.Diagnostics;
using System.IO.Compression;
using System.Text;
using Espalier.Data;
using Espalier.Tests.Data;

namespace Espalier.Tests.Cli;

/// <summary>Texts that come from stdin, which only a process of its own has.</summary>
[Trait("Kind", "Process")]
public sealed class StandardInputTextTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static byte[] Packed(string text)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionMode.Compress))
        {
            gzip.Write(Encoding.UTF8.GetBytes(text));
        }

        return packed.ToArray();
    }

    /// <summary>A packed stdin is prepared like a file; one that ends early leaves an error and nothing else.</summary>
    [Fact]
    public void StdinIsATextLikeAnother()
    {
        byte[] packed = Packed(string.Concat(Enumerable.Range(0, 3000).Select(i => $"{{\"text\":\"document {i}\"}}\n")));
        Assert.Equal((0, ""), Prepare(packed, ".jsonl.gz"));
        Dataset dataset = Dataset.Open(_folder.File("out"));
        Assert.Equal(3000, dataset.Train.Documents + dataset.Valid.Documents);
        Directory.Delete(_folder.File("out"), recursive: true);

        (int code, string error) = Prepare(packed[..^100], ".jsonl.gz");
        Assert.Equal(1, code);
        Assert.Contains("stdin", error, StringComparison.Ordinal);
        Assert.DoesNotContain(_folder.Path, error, StringComparison.Ordinal);
        (code, error) = Prepare([], ".txt");
        Assert.Equal(1, code);
        Assert.Contains("stdin holds no text", error, StringComparison.Ordinal);
        Assert.DoesNotContain(_folder.Path, error, StringComparison.Ordinal);
        Assert.Equal([_folder.File("tmp")], Directory.GetFileSystemEntries(_folder.Path));
        Assert.Empty(Directory.GetFileSystemEntries(_folder.File("tmp"), "espalier-*"));
    }

    private (int Code, string Error) Prepare(byte[] input, string kind)
    {
        Directory.CreateDirectory(_folder.File("tmp"));
        var start = new ProcessStartInfo(
            Environment.ProcessPath is string path && Path.GetFileName(path) == "dotnet" ? path : "dotnet",
            [Path.Combine(AppContext.BaseDirectory, "Espalier.Cli.dll"), "data", "prepare", "-", "--stdin-as", kind, "--bytes", "--json", "--out", _folder.File("out")])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["TMPDIR"] = _folder.File("tmp") },
        };
        using Process process = Process.Start(start)!;
        process.StandardInput.BaseStream.Write(input);
        process.StandardInput.Close();
        Task<string> error = process.StandardError.ReadToEndAsync();
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, process.ExitCode == 0 ? "" : error.Result);
    }
}
