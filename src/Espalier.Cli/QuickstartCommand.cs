using System.CommandLine;
using Espalier.Data;
using Espalier.Experiments;

namespace Espalier.Cli;

/// <summary><c>espalier quickstart</c>: the whole way, from text to whether growing pays.</summary>
internal static class QuickstartCommand
{
    private const string Corpus = "data/sotu";

    // Of gpt2 and llama the best rates of the sweeps that the experiments of these names make; of bert that of bert-mini-scratch.yaml.
    private static readonly Dictionary<string, (string Experiment, string Rates, string Data, Tokenizer Tokenizer)> Models = new()
    {
        ["gpt2"] = ("quickstart", "[2e-3]", "data/sotu-bytes", ByteLevelBpe.RawBytes),
        ["bert"] = ("quickstart-bert", "[7e-4]", "data/sotu-characters", WordPiece.Characters),
        ["llama"] = ("quickstart-llama", "[2e-3]", "data/sotu-bytes", ByteLevelBpe.RawBytes),
    };

    public static Verb Create()
    {
        var overrides = new Argument<string[]>("KEY=VALUE")
        {
            Description = "Values in place of the experiment's: seeds=[1,2,3], set.training.device=cpu.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var model = new Option<string>("--model")
        {
            Description = "gpt2 or llama, on bytes, or bert, on masked characters.",
            HelpName = "gpt2|bert|llama",
            DefaultValueFactory = _ => "gpt2",
        };
        model.AcceptOnlyFromAmong([.. Models.Keys]);
        Option<string> output = ExperimentCommand.Output();
        Option<int> parallel = ExperimentCommand.Parallel(2);
        var json = new Option<bool>("--json") { Description = "Print the result as JSON." };
        var command = new Verb(
            "quickstart",
            $"Fetches the State of the Union speeches into {Corpus}, trains on them models that never grow and one that grows, all for the same " +
            "FLOPs, and says whether growing pays: minutes on two cores, for the first seed at known learning rates. " +
            "`espalier experiment recipes/experiments/quickstart.yaml` goes on with the sweeps and the other seeds. " +
            "Interrupted at any moment, the same command goes on where it was.")
        {
            overrides, model, output, parallel, json,
        };
        command.Examples =
        [
            "espalier quickstart",
            "espalier quickstart --model bert",
            "espalier quickstart seeds=[1,2,3]",
        ];
        command.SetAction(parsed =>
        {
            SingleProcess.Require();
            var (experiment, rates, data, tokenizer) = Models[parsed.GetValue(model)!];
            ExperimentConfig config = ExperimentFile.Read(
                Path.Combine(AppContext.BaseDirectory, "recipes", "experiments", $"{experiment}.yaml"),
                ["seeds=[1]", $"learning_rates={rates}", .. parsed.GetValue(overrides)!]);
            PrepareData(data, tokenizer);
            return ExperimentCommand.Run(config, parsed.GetValue(output)!, parsed.GetValue(parallel), parsed.GetValue(json));
        });
        return command;
    }

    private static void PrepareData(string folder, Tokenizer tokenizer)
    {
        using var line = new DataProgressLine();
        string texts = SotuCorpus.Fetch(Corpus, line.Show, line.Token);
        var options = new PreparationOptions { Tokenizer = tokenizer, HeldOutFiles = [SotuCorpus.HeldOutFiles] };
        CorpusPreparer.Prepare(Espalier.Data.Corpus.Open([texts]), folder, options, line.Show, line.Token);
    }
}
