using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Espalier.Data;

namespace Espalier.Cli;

/// <summary><c>espalier data prepare</c>.</summary>
internal static class PrepareCommand
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Verb Create()
    {
        var defaults = new PreparationOptions();
        var text = new CorpusOptions(weights: true);
        var output = new Option<string>("--out")
        {
            Description = "The folder to make; a recipe names it as data.path. If it holds the same already, it stays as it is.",
            HelpName = "DIR",
            Required = true,
        };
        var tokenizer = new Option<string?>("--tokenizer")
        {
            Description = "The vocabulary: a Hugging Face tokenizer.json (byte-level BPE or WordPiece), vocab.json beside " +
                "merges.txt, vocab.txt, or a folder that holds them.",
            HelpName = "FILE",
        };
        var bytes = new Option<bool>("--bytes") { Description = "The vocabulary: the 256 bytes, and the end of a text." };
        var characters = new Option<bool>("--characters")
        {
            Description = "The vocabulary: the characters of the training text, [UNK] for others, and the end of a text.",
        };
        var bpe = new Option<int?>("--bpe")
        {
            Description = "The vocabulary: a byte-level BPE of N tokens, trained on the training text.",
            HelpName = "N",
        };
        var wordPiece = new Option<int?>("--wordpiece")
        {
            Description = "The vocabulary: a WordPiece of N tokens, as BERT has it, trained on the training text.",
            HelpName = "N",
        };
        var training = new VocabularyOptions();
        var heldOutFiles = new Option<string[]>("--holdout")
        {
            Description = "Hold out the files of this name (* and ? as in a shell; in quotes). May be given several times.",
            HelpName = "GLOB",
        };
        var heldOutFraction = new Option<double>("--holdout-fraction")
        {
            Description = "Without --holdout: the share of documents to hold out, drawn at random, at least one; of a single document, its end.",
            HelpName = "F",
            DefaultValueFactory = _ => defaults.HeldOutFraction,
        };
        var seed = new Option<ulong>("--seed")
        {
            Description = "The seed of that draw.",
            HelpName = "N",
            DefaultValueFactory = _ => defaults.Seed,
        };
        var json = new Option<bool>("--json") { Description = "Print the summary as JSON." };
        var command = new Verb(
            "prepare",
            "Turns text into a folder of tokens to train on, part of it held out. Give one of --tokenizer, --bytes, --characters, --bpe and --wordpiece.")
        {
            text.Inputs, output, tokenizer, bytes, characters, bpe, wordPiece, training.Cased, training.MinFrequency,
            heldOutFiles, heldOutFraction, seed, text.TextKey, text.Documents, text.StdinAs, json,
        };
        command.Examples =
        [
            "espalier data prepare book.txt --bytes --out data/book",
            "espalier data prepare data/sotu/text --bpe 4096 --holdout '20*.txt' --out data/sotu-bpe4096",
            "espalier data prepare data/sotu/text --wordpiece 4096 --holdout '20*.txt' --out data/sotu-wordpiece4096",
            "espalier data prepare web.parquet=0.7 books/=0.3 --bpe 8192 --out data/mixed",
            "zcat dump.jsonl.gz | espalier data prepare - --stdin-as .jsonl --characters --out data/dump",
        ];
        command.SetAction(parsed =>
        {
            string? tokenizerFile = parsed.GetValue(tokenizer);
            string[] given = [.. new Option[] { tokenizer, bytes, characters, bpe, wordPiece }
                .Where(option => parsed.GetResult(option) is { Implicit: false }).Select(option => option.Name)];
            if (given.Length != 1)
            {
                throw new UserErrorException(
                    given.Length == 0
                        ? "Which vocabulary? Give one of --tokenizer FILE, --bytes, --characters, --bpe N and --wordpiece N."
                        : $"{string.Join(" and ", given)} are {given.Length} vocabularies, and the data has one.",
                    given.Length == 0 ? "To begin with, try --bytes or --bpe 4096; for BERT, --wordpiece 4096." : $"Give {string.Join(" or ", given)} alone.");
            }

            VocabularyTraining? vocabulary = training.Of(
                parsed, parsed.GetValue(bpe) ?? parsed.GetValue(wordPiece), parsed.GetValue(wordPiece) is not null);
            string[] files = parsed.GetValue(heldOutFiles) ?? [];
            if (files.Length > 0 && parsed.GetResult(heldOutFraction) is { Implicit: false })
            {
                throw new UserErrorException("Give --holdout or --holdout-fraction, not both.");
            }

            string folder = parsed.GetValue(output)!;
            using OpenCorpus opened = text.Open(parsed);
            var options = new PreparationOptions
            {
                Tokenizer = tokenizerFile is not null ? Tokenizer.Load(tokenizerFile)
                    : parsed.GetValue(bytes) ? ByteLevelBpe.RawBytes
                    : null,
                Training = parsed.GetValue(characters) ? VocabularyTraining.OfCharacters : vocabulary,
                HeldOutFiles = files,
                HeldOutFraction = parsed.GetValue(heldOutFraction),
                Seed = parsed.GetValue(seed),
            };
            Dataset dataset;
            using (var line = new DataProgressLine())
            {
                dataset = opened.Read(corpus => CorpusPreparer.Prepare(corpus, folder, options, line.Show, line.Token));
            }

            Document first = opened.Corpus.Documents().First();
            if (parsed.GetValue(json))
            {
                JsonOutput.Print(new
                {
                    dataset.Folder,
                    dataset.VocabularySize,
                    dataset.Split,
                    dataset.Mixture,
                    dataset.Train,
                    dataset.Valid,
                    First = new { first.FileName, Begins = Beginning(first) },
                });
            }
            else
            {
                Print(dataset);
                Console.Out.WriteLine($"First document, of {first.FileName}: {JsonSerializer.Serialize(Beginning(first), Plain)}");
            }

            return 0;
        });
        return command;
    }

    /// <summary>Enough of a document to see that it is text, and whose.</summary>
    private static string Beginning(Document document)
    {
        const int Shown = 80;
        ReadOnlySpan<byte> text = document.Text.Span;
        string beginning = Encoding.UTF8.GetString(text[..Math.Min(text.Length, 4 * Shown)]);
        Rune[] characters = [.. beginning.EnumerateRunes().Take(Shown + 1)];
        return string.Concat(characters.Take(Shown)) + (characters.Length > Shown ? "..." : "");
    }

    private static void Print(Dataset dataset)
    {
        Tables.Print(
            dataset.Folder, ["", "Documents", "Tokens", "Bytes", "Words"],
            [Row("training", dataset.Train), Row("held out", dataset.Valid)]);
        Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Vocabulary: {dataset.VocabularySize:N0} tokens; {dataset.Split}."));
        if (dataset.Mixture is string mixture)
        {
            Console.Out.WriteLine($"{mixture}.");
        }

        static string[] Row(string name, DatasetPart part) =>
            [name, .. new[] { part.Documents, part.Tokens, part.Bytes, part.Words }.Select(n => n.ToString("N0", CultureInfo.InvariantCulture))];
    }
}
