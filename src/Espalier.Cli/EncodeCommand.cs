using System.CommandLine;
using System.Text.Json;
using Espalier.Data;

namespace Espalier.Cli;

/// <summary><c>espalier tokenizer encode</c>.</summary>
internal static class EncodeCommand
{
    public static Verb Create()
    {
        var texts = new Argument<string[]>("TEXT")
        {
            Description = "Texts, each encoded by itself, to a line of ids. Without any, all of stdin is one text. After -- a text may begin with a dash.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        Option<string> file = TokenizerOption();
        var jsonLines = new Option<bool>("--json-lines")
        {
            Description = "Read many texts from stdin: one JSON string a line in, or an array of two for a pair, one JSON array of ids a line out.",
        };
        var special = new Option<bool>("--special")
        {
            Description = "Set the tokenizer's special tokens around each text, such as [CLS] and [SEP].",
        };
        var command = new Verb("encode", "Turns text into token ids, as Hugging Face's library does.") { texts, file, jsonLines, special };
        command.Examples =
        [
            "espalier tokenizer encode --tokenizer tokenizer.json 'Fellow citizens'",
            "echo '\"Fellow citizens\"' | espalier tokenizer encode --tokenizer tokenizer.json --json-lines",
        ];
        command.SetAction(parsed =>
        {
            Tokenizer tokenizer = Tokenizer.Load(parsed.GetValue(file)!);
            bool addSpecial = parsed.GetValue(special);
            string[] given = parsed.GetValue(texts) ?? [];
            if (parsed.GetValue(jsonLines))
            {
                StandardInput.RequireAlone(given, "--json-lines");
                foreach ((string text, string? pair) in StandardInput.JsonTexts())
                {
                    Console.Out.WriteLine(JsonSerializer.Serialize(tokenizer.EncodeAsHuggingFace(text, pair, addSpecial).Ids));
                }

                return 0;
            }

            foreach (string text in given.Length > 0 ? given : [StandardInput.Text()])
            {
                Console.Out.WriteLine(string.Join(' ', tokenizer.EncodeAsHuggingFace(text, null, addSpecial).Ids));
            }

            return 0;
        });
        return command;
    }

    /// <summary><c>--tokenizer FILE</c>, without which nothing can be done.</summary>
    public static Option<string> TokenizerOption() => new("--tokenizer")
    {
        Description = "A Hugging Face tokenizer.json (byte-level BPE or WordPiece), vocab.json beside merges.txt, vocab.txt, or a folder that holds them.",
        HelpName = "FILE",
        Required = true,
    };
}
