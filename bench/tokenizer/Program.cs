using System.CommandLine;
using System.Runtime.InteropServices;
using System.Text;
using Espalier;
using Espalier.Bench;
using Espalier.Bench.Tokenizers;
using Espalier.Torch;

var cache = new Option<string>("--cache") { Description = "Where text, vocabularies and library are kept.", Required = true, Hidden = true };
var vocabularies = new Option<string[]>("--vocabularies")
{
    Description = "gpt2 (byte-level BPE) and bert (WordPiece, uncased).",
    AllowMultipleArgumentsPerToken = true,
    DefaultValueFactory = _ => ["gpt2", "bert"],
};
vocabularies.AcceptOnlyFromAmong("gpt2", "bert");
var rounds = new Option<int>("--rounds") { Description = "How often the sides take turns.", DefaultValueFactory = _ => 7 };
var turn = new Option<double>("--turn") { Description = "Seconds of Espalier's turn, about; the other side encodes the text once.", DefaultValueFactory = _ => 1 };
var toy = new Option<bool>("--toy") { Description = "Seconds, and no network: a few invented texts and vocabularies trained on them, Espalier alone." };
var splitters = new Option<bool>("--splitters") { Description = "Compare the ways to cut text instead, GPT-2's, Llama 3's and Qwen's, Espalier alone." };
var output = new Option<string?>("--out") { Description = "Also write the results here, as Markdown (bench/results/YYYY-MM-DD-NAME.md)." };
var command = new RootCommand("Times encoding the State of the Union speeches, and Hugging Face's library in turn with it.")
{
    cache, vocabularies, rounds, turn, toy, splitters, output,
};
command.SetAction(parsed =>
{
    var text = new StringBuilder();
    Print(FormattableString.Invariant(
        $"""
        # Encoding text, {DateTime.UtcNow:yyyy-MM-dd HH:mm} UTC

            bench/tokenizer/run {string.Join(' ', args.Skip(2))}

        - Hardware: {Processor.Name}, {Environment.ProcessorCount} cores
        - System: {RuntimeInformation.OSDescription}; .NET {Environment.Version}; Espalier {typeof(UserErrorException).Assembly.GetName().Version!.ToString(3)}

        """));
    if (parsed.GetValue(splitters))
    {
        Inputs inputs = parsed.GetValue(toy) ? Inputs.Toy(parsed.GetValue(cache)!) : Inputs.In(parsed.GetValue(cache)!);
        foreach (string line in SplitterComparison.Measure(inputs, parsed.GetValue(rounds)))
        {
            Print(line);
        }

        if (parsed.GetValue(output) is string results)
        {
            File.WriteAllText(results, text.ToString());
        }

        return 0;
    }

    Print(ComparisonResult.Header);
    string versions = "";
    bool alike = true;
    bool alone = parsed.GetValue(toy);
    foreach (ComparisonResult result in Comparison.Measure(
        alone ? Inputs.Toy(parsed.GetValue(cache)!) : Inputs.In(parsed.GetValue(cache)!), alone, parsed.GetValue(vocabularies)!, parsed.GetValue(rounds), parsed.GetValue(turn)))
    {
        Print(result.ToMarkdown());
        versions = result.Versions;
        alike &= result.Alike;
    }

    if (alone)
    {
        Print("\nA toy: whether this benchmark runs. Nothing was compared, and the speeds mean nothing.");
        return 0;
    }

    Print(
        $"""

        Against {versions}. MB are 1e6 bytes of UTF-8. Speeds are medians of {parsed.GetValue(rounds)} rounds, in which the sides take turns; ratios are Espalier / Hugging Face, round by round. Both load the same tokenizer.json and encode strings that are in memory already, without special tokens: Espalier by `Encode`, Hugging Face by one `encodeBatch` of all texts, its fastest way here, whose results no JavaScript looks at while time counts (RAYON_NUM_THREADS is the number of threads). Hugging Face's encodings also hold offsets and masks, which it offers no way to leave out; Espalier returns ids. A first pass is that of a tokenizer just loaded, whose cache of words is empty; the other passes follow it. "ids" compares the number and a hash of all ids.
        """);
    if (parsed.GetValue(output) is string file)
    {
        File.WriteAllText(file, text.ToString());
    }

    return alike ? 0 : 1;

    void Print(string part)
    {
        Progress.Clear();
        Console.Out.WriteLine(part);
        text.AppendLine(part);
    }
});

try
{
    return command.Parse(args).Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (Exception exception) when (exception is UserErrorException or IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine($"error: {exception.Message}");
    return 1;
}
