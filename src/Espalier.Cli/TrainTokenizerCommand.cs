using System.CommandLine;
using System.Globalization;
using Espalier.Data;

namespace Espalier.Cli;

/// <summary><c>espalier tokenizer train</c>.</summary>
internal static class TrainTokenizerCommand
{
    public static Verb Create()
    {
        var text = new CorpusOptions(weights: false);
        var vocabulary = new Option<int>("--vocab")
        {
            Description = $"The number of tokens. Of a BPE {BpeTrainer.SmallestVocabulary} at least, for all bytes and {Tokenizer.EndOfTextToken}.",
            HelpName = "N",
            Required = true,
        };
        var wordPiece = new Option<bool>("--wordpiece") { Description = "Train a WordPiece, as BERT has it, not a byte-level BPE." };
        var options = new VocabularyOptions();
        var output = new Option<string>("--out")
        {
            Description = "The file to write. A tokenizer that is there already is replaced.",
            HelpName = "FILE",
            Required = true,
        };
        var command = new Verb("train", "Trains a byte-level BPE or a WordPiece, and saves it as a Hugging Face tokenizer.json.")
        {
            text.Inputs, vocabulary, wordPiece, options.Cased, options.MinFrequency, output, text.TextKey, text.Documents, text.StdinAs,
        };
        command.Examples =
        [
            "espalier tokenizer train data/sotu/text --vocab 4096 --out tokenizer.json",
            "espalier tokenizer train data/sotu/text --vocab 4096 --wordpiece --out tokenizer.json",
        ];
        command.SetAction(parsed =>
        {
            VocabularyTraining training = options.Of(parsed, parsed.GetValue(vocabulary), parsed.GetValue(wordPiece))!;
            string file = parsed.GetValue(output)!;
            RequireNothingElseAt(file);
            using OpenCorpus opened = text.Open(parsed);
            Tokenizer tokenizer;
            using (var line = new DataProgressLine())
            {
                // Counting words does not know how long the corpus is.
                tokenizer = opened.Read(corpus => training.Train(
                    corpus.Documents(),
                    progress => line.Show(progress.Total > 0 ? progress : progress with { Total = corpus.Length })));
            }

            tokenizer.Save(file);
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{file}: {tokenizer.VocabularySize:N0} tokens."));
            return 0;
        });
        return command;
    }

    /// <summary>A slip such as <c>--out book.txt</c> must not cost the user a text.</summary>
    private static void RequireNothingElseAt(string file)
    {
        if (Directory.Exists(file))
        {
            throw new UserErrorException($"{file} is a folder.", $"Name a file, for example {Path.Combine(file, "tokenizer.json")}");
        }

        if (!File.Exists(file))
        {
            return;
        }

        try
        {
            Tokenizer.Load(file);
        }
        catch (UserErrorException e)
        {
            throw new UserErrorException(
                $"{file} exists and is no tokenizer: it is left as it is.", "Name another file, or delete this one.", e);
        }
    }
}
