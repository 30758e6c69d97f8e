using System.CommandLine;
using Espalier.Data;
using Espalier.Experiments;
using Espalier.Reporting;
using Espalier.Training;

namespace Espalier.Cli;

/// <summary><c>espalier quickstart</c>: the whole way, from text to a comparison with training from scratch.</summary>
internal static class QuickstartCommand
{
    private const string Corpus = "data/sotu";

    // In this order: the first is the baseline.
    private static readonly string[] Methods = ["scratch", "apollo"];

    public static Verb Create()
    {
        var overrides = new Argument<string[]>("KEY=VALUE")
        {
            Description = "Values in place of both recipes', for example seed=1; with another --out.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var output = new Option<string>("--out")
        {
            Description = "The folder of the two runs and the report. Default: runs/quickstart, of a BERT runs/quickstart-bert.",
            HelpName = "DIR",
        };
        var model = new Option<string>("--model")
        {
            Description = "gpt2: a 12-layer GPT on bytes; bert: a 6-layer BERT on masked characters.",
            HelpName = "gpt2|bert",
            DefaultValueFactory = _ => "gpt2",
        }.AcceptOnlyFromAmong("gpt2", "bert");
        var command = new Verb(
            "quickstart",
            $"Fetches the State of the Union speeches into {Corpus}, trains a model on them from scratch and the same " +
            "model with Apollo, and says what Apollo saves: minutes on two cores. Interrupted at any moment, the same " +
            "command goes on where it was.")
        {
            overrides, model, output,
        };
        command.Examples =
        [
            "espalier quickstart",
            "espalier quickstart --model bert",
            "espalier quickstart seed=1 --out runs/quickstart-seed1",
        ];
        command.SetAction(parsed =>
        {
            SingleProcess.Require();
            (string name, PreparationOptions data) = parsed.GetValue(model) == "bert"
                ? ("quickstart-bert", new PreparationOptions { Tokenizer = WordPiece.Characters })
                : ("quickstart", new PreparationOptions { Tokenizer = ByteLevelBpe.RawBytes });
            return Run(name, data, parsed.GetValue(output) ?? Path.Combine("runs", name), parsed.GetValue(overrides)!);
        });
        return command;
    }

    private static int Run(string name, PreparationOptions data, string folder, string[] overrides)
    {
        Recipe[] recipes =
        [
            .. Methods.Select(method => RecipeReader.Read(
                Path.Combine(AppContext.BaseDirectory, "recipes", $"{name}-{method}.yaml"), overrides)),
        ];
        var experiment = new Experiment(folder, recipes[0], recipes[1..]);
        PrepareData(recipes[0].Data.Path, data);

        using (var signals = new StopSignals())
        using (var line = new TrainingLine())
        {
            if (!experiment.Run(line.Show, line.End, signals.Token))
            {
                return TrainingLine.SayStopped();
            }
        }

        RunComparison comparison = experiment.Compare();
        experiment.WriteReport(comparison, "Apollo against training from scratch");
        CompareCommand.Print(comparison);
        Console.Out.WriteLine($"The curves: {experiment.ReportFile}");
        return 0;
    }

    private static void PrepareData(string folder, PreparationOptions options)
    {
        using var line = new DataProgressLine();
        string texts = SotuCorpus.Fetch(Corpus, line.Show, line.Token);
        options = options with { HeldOutFiles = [SotuCorpus.HeldOutFiles] };
        CorpusPreparer.Prepare(Espalier.Data.Corpus.Open([texts]), folder, options, line.Show, line.Token);
    }
}
