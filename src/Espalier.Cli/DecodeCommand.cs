using System.CommandLine;
using System.Globalization;
using Espalier.Data;

namespace Espalier.Cli;

/// <summary><c>espalier tokenizer decode</c>.</summary>
internal static class DecodeCommand
{
    public static Verb Create()
    {
        var ids = new Argument<int[]>("ID")
        {
            Description = "Token ids. Without any, they are read from stdin, with white space between them.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        Option<string> file = EncodeCommand.TokenizerOption();
        var jsonLines = new Option<bool>("--json-lines")
        {
            Description = "Read many texts from stdin: one JSON array of ids a line in, one JSON string a line out.",
        };
        var skipSpecial = new Option<bool>("--skip-special") { Description = "Leave out special tokens, such as [CLS] and [SEP]." };
        var command = new Verb(
            "decode", "Turns token ids into text, with no line feed added. Bytes that are no whole character become U+FFFD.")
        {
            ids, file, jsonLines, skipSpecial,
        };
        command.Examples =
        [
            "espalier tokenizer decode --tokenizer tokenizer.json 39 72",
            "espalier tokenizer encode --tokenizer tokenizer.json < book.txt | espalier tokenizer decode --tokenizer tokenizer.json",
        ];
        command.SetAction(parsed =>
        {
            Tokenizer tokenizer = Tokenizer.Load(parsed.GetValue(file)!);
            bool skip = parsed.GetValue(skipSpecial);
            int[] given = parsed.GetValue(ids) ?? [];
            if (parsed.GetValue(jsonLines))
            {
                StandardInput.RequireAlone(given, "--json-lines");
                foreach (int[] line in StandardInput.JsonLines<int[]>("array of token ids"))
                {
                    JsonOutput.PrintLine(tokenizer.Decode(line, skip));
                }

                return 0;
            }

            Console.Out.Write(tokenizer.Decode(given.Length > 0 ? given : FromStandardInput(), skip));
            if (!Console.IsOutputRedirected)
            {
                Console.Out.WriteLine();
            }

            return 0;
        });
        return command;
    }

    private static int[] FromStandardInput() =>
    [
        .. StandardInput.Text().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Select(word =>
            int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int id)
                ? id
                : throw new UserErrorException($"stdin: '{word}' is no token id.", "Ids are whole numbers with white space between them.")),
    ];
}
