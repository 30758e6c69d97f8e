using System.CommandLine;
using System.Globalization;
using Espalier.Data;

namespace Espalier.Cli;

/// <summary>Which text a verb reads, and what its documents are.</summary>
internal sealed class CorpusOptions
{
    private const string Stdin = "-";
    private readonly bool _weights;

    /// <param name="weights">Whether inputs may be given weights.</param>
    public CorpusOptions(bool weights)
    {
        _weights = weights;
        Inputs = new Argument<string[]>("INPUT")
        {
            Description = "Text files, or folders of them: .txt (a document a file), .jsonl (a document a line), also .gz or .zst; " +
                ".parquet (a document a row); - for stdin." + (weights
                    ? " INPUT=WEIGHT, for all or none: its share of the training text's bytes, in proportion to the others. That " +
                        "text stays as long: too little of an input is repeated, too much left out, whole documents, evenly, " +
                        "nothing random; exact to half a document. Held-out documents come once each."
                    : ""),
            Arity = ArgumentArity.OneOrMore,
        };
    }

    /// <summary>The files and folders.</summary>
    public Argument<string[]> Inputs { get; }

    /// <summary>Where the text of a row is.</summary>
    public Option<string> TextKey { get; } = new("--text-key", "--column")
    {
        Description = "The key of the text in .jsonl files, its column in .parquet files. Rows of parquet without a text are left out.",
        HelpName = "KEY",
        DefaultValueFactory = _ => "text",
    };

    /// <summary>What is one document of a .txt file.</summary>
    public Option<string> Documents { get; } = new Option<string>("--documents")
    {
        Description = "What is one document of .txt files: the whole file, each line, or what stands between blank lines.",
        HelpName = "file|line|blank-line",
        DefaultValueFactory = _ => "file",
    }.AcceptOnlyFromAmong("file", "line", "blank-line");

    /// <summary>What stdin holds.</summary>
    public Option<string> StdinAs { get; } = new Option<string>("--stdin-as")
    {
        Description = "What stdin holds, as a file's name would end: .txt, .jsonl, .parquet, also .txt.gz, .jsonl.zst and so on.",
        HelpName = "ENDING",
        DefaultValueFactory = _ => ".txt",
    };

    /// <summary>Opens the text of a command line. What comes from stdin is kept in a temporary file until it is closed.</summary>
    /// <exception cref="UserErrorException">There is no such text.</exception>
    public OpenCorpus Open(ParseResult parsed)
    {
        (string Path, double? Weight)[] inputs = [.. parsed.GetValue(Inputs)!.Select(Weighed)];
        if (inputs.Any(input => input.Weight is null) && inputs.Any(input => input.Weight is not null))
        {
            throw new UserErrorException(
                $"Some inputs have a weight, and {inputs.First(input => input.Weight is null).Path} has none.",
                "Give all of them a weight, INPUT=WEIGHT, or none.");
        }

        if (inputs.Count(input => input.Path == Stdin) > 1)
        {
            throw new UserErrorException("stdin is named twice, and can be read once only.");
        }

        SpooledInput? stdin = inputs.Any(input => input.Path == Stdin) ? SpooledInput.OfStdin(parsed.GetValue(StdinAs)!) : null;
        try
        {
            TextDocuments documents = parsed.GetValue(Documents) switch
            {
                "line" => TextDocuments.Line,
                "blank-line" => TextDocuments.BlankLine,
                _ => TextDocuments.File,
            };
            return new OpenCorpus(
                Corpus.Open(
                    inputs.Select(input => input.Path == Stdin ? stdin!.Path : input.Path),
                    parsed.GetValue(TextKey)!,
                    documents,
                    inputs[0].Weight is null ? null : [.. inputs.Select(input => input.Weight!.Value)]),
                stdin);
        }
        catch
        {
            stdin?.Dispose();
            throw;
        }
    }

    /// <summary>A path that exists as it stands has no weight, whatever its name.</summary>
    private (string Path, double? Weight) Weighed(string input)
    {
        int at = input.LastIndexOf('=');
        return !_weights || at <= 0 || Path.Exists(input)
            || !double.TryParse(input.AsSpan(at + 1), NumberStyles.Float, CultureInfo.InvariantCulture, out double weight)
            ? (input, null)
            : (input[..at], weight);
    }
}

/// <summary>A corpus, and the file that holds what came from stdin.</summary>
internal sealed record OpenCorpus(Corpus Corpus, SpooledInput? Stdin) : IDisposable
{
    /// <summary>Works on the corpus. What is wrong with its text is said of stdin where that was named, and not of the temporary file.</summary>
    public T Read<T>(Func<Corpus, T> read)
    {
        try
        {
            return read(Corpus);
        }
        catch (UserErrorException e) when (Stdin is not null && e.Message.Contains(Stdin.Path, StringComparison.Ordinal))
        {
            throw new UserErrorException(e.Message.Replace(Stdin.Path, "stdin", StringComparison.Ordinal), e.Hint, e);
        }
    }

    public void Dispose() => Stdin?.Dispose();
}
