using System.CommandLine;
using System.Globalization;
using Espalier.Evaluation;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Training;
using Spectre.Console;

namespace Espalier.Cli;

/// <summary><c>espalier grow</c>.</summary>
internal static class GrowCommand
{
    // What --list doubles.
    private static readonly ModelConfig Gpt2 = new Gpt2Config { HiddenSize = 64, Heads = 4, ContextLength = 16, VocabularySize = 64 };
    private static readonly ModelConfig Bert = new BertConfig { HiddenSize = 64, Heads = 4, ContextLength = 16, VocabularySize = 64 };
    private static readonly ModelConfig Llama = new LlamaConfig { HiddenSize = 64, Heads = 4, ContextLength = 16, VocabularySize = 64 };

    public static Verb Create()
    {
        var checkpoint = new Argument<string?>("CHECKPOINT")
        {
            Description = "A checkpoint, any model in Hugging Face's form, or a run: then its latest checkpoint. The layers that " +
                "it stores grow.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var name = new Option<string?>("--operator")
        {
            Description = "The growth operator: one of those that --list shows; or several, which grow in turn what they can.",
            HelpName = "NAME,...",
        };
        var sizes = new Option<string?>("--to")
        {
            Description = "The sizes to grow to, by the names in the model's config.json: n_layer, n_embd, n_head and n_inner, or a " +
                "BERT's num_hidden_layers, hidden_size, num_attention_heads and intermediate_size. What is not named follows: in a " +
                "wider model, heads keep their size and the feed-forward layer its ratio.",
            HelpName = "KEY=N,...",
        };
        var layers = new Option<string?>("--layers")
        {
            Description = "In place of --operator and --to: for each layer of the larger model, the old one that it copies, counted " +
                "from 0, as 0,1,2,1,2,3.",
            HelpName = "N,...",
        };
        var seed = new Option<ulong?>("--seed") { Description = "Seed of what an operator draws at random. Default: a fixed one." };
        var noise = new Option<double?>("--noise")
        {
            Description = "Noise that tells the copies of hyper-cloning apart and cancels in all they compute: the signal-to-noise " +
                "ratio in decibels, such as 20. Default: none.",
            HelpName = "DB",
        };
        var output = new OutputFolder { Required = false };
        var data = new Option<string?>("--data")
        {
            Description = "A text file, a folder of them, or a prepared dataset (then its held-out part), on whose first 4096 tokens " +
                "the model is measured before and after, in f32: loss, scores and gradient. An operator that learns does so on all " +
                "of it. Default: nothing is measured.",
            HelpName = "PATH",
        };
        var json = new Option<bool>("--json") { Description = "Prints JSON." };
        var list = new Option<bool>("--list")
        {
            Description = "Shows the operators: what each grows, how far it promises to keep what the model computes, and its source.",
        };
        var options = new ComputeOptions();
        var command = new Verb(
            "grow",
            "Makes a larger model of a trained one, and measures whether it still computes the same. Writes weights in Hugging " +
            "Face's form, and no optimizer state.")
        {
            checkpoint, name, sizes, layers, seed, noise, output, data, json, list, options.Device,
        };
        command.Examples =
        [
            "espalier grow --list",
            "espalier grow models/gpt2 --operator double-width --to n_embd=1536 --data book.txt --out models/gpt2-wide",
            "espalier grow models/gpt2 --operator hyper-cloning --to n_embd=1536 --noise 20 --seed 7 --out models/gpt2-wide",
            "espalier grow models/small --layers 0,1,2,1,2,3 --out models/deep",
            "espalier grow runs/bert --operator stack --to num_hidden_layers=12 --data data/mine-bert --out models/bert-12",
        ];
        command.SetAction(parsed =>
        {
            bool asJson = parsed.GetValue(json);
            if (parsed.GetValue(list))
            {
                List(asJson);
                return 0;
            }

            string path = Given(parsed.GetValue(checkpoint), "CHECKPOINT");
            int[]? own = OwnLayers(parsed.GetValue(layers), parsed.GetValue(name), parsed.GetValue(sizes));
            OperatorEntry entry = own is null
                ? GrowthOperators.Of(Given(parsed.GetValue(name), "--operator NAME")) : GrowthOperators.Copies(own);
            string to = own is null ? Given(parsed.GetValue(sizes), "--to KEY=N") : "";
            string folder = Given(output.Of(parsed), "--out DIR");
            var compute = new Compute(options.DeviceOf(parsed));
            using LoadedModel loaded = LoadedModel.Load(path, compute.Device);
            var settings = new GrowthSettings { Seed = parsed.GetValue(seed), Noise = parsed.GetValue(noise) };
            GrowthReceipt receipt = ModelGrowth.Write(
                folder, loaded, entry,
                own is null ? GrowthTarget.Parse(to, loaded.Config) : loaded.Config with { Layers = own.Length },
                settings, parsed.GetValue(data), compute);
            SayAside(receipt, folder, loaded);
            if (asJson)
            {
                Console.Out.WriteLine(receipt.ToJson());
            }
            else
            {
                Print(receipt);
            }

            return 0;
        });
        return command;
    }

    private static string Given(string? value, string what) => value ?? throw new UserErrorException(
        $"espalier grow lacks {what}.", "espalier grow --help tells all there is to know, and espalier grow --list the operators.");

    private static int[]? OwnLayers(string? layers, string? name, string? sizes)
    {
        if (layers is null)
        {
            return null;
        }

        if (name is not null || sizes is not null)
        {
            throw new UserErrorException(
                $"--layers stands in place of {(name is not null ? "--operator" : "--to")}.", "Leave one of the two out.");
        }

        return
        [
            .. layers.Split(',', StringSplitOptions.TrimEntries).Select(text =>
                int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int layer) ? layer : throw new UserErrorException(
                    $"--layers: '{text}' is no layer.", "List numbers from 0, with commas between them: 0,0,1,1.")),
        ];
    }

    private static void SayAside(GrowthReceipt receipt, string folder, LoadedModel loaded)
    {
        if (loaded.FullDepth.Depth != loaded.Config.Layers)
        {
            Console.Error.WriteLine(
                $"note: {loaded.Path} still grows to {loaded.FullDepth.Depth} layers; the {loaded.Config.Layers} that it stores were " +
                $"grown. Export it with --depth {loaded.FullDepth.Depth} first to grow all.");
        }

        foreach (string left in receipt.LeftOut)
        {
            Console.Error.WriteLine($"note: left out {left}.");
        }

        if (receipt.Parity?.PromiseHeld == false)
        {
            Console.Error.WriteLine($"warning: {receipt.Operator} has not kept its promise: the model computes something else than before.");
        }

        Console.Error.WriteLine($"{folder}: the grown model in f32, its tokenizer with it.");
    }

    private static void Print(GrowthReceipt receipt)
    {
        string grown = string.Join(
            ", ", receipt.From.Where(size => receipt.To[size.Key] != size.Value)
                .Select(size => $"{size.Key} {size.Value} -> {receipt.To[size.Key]}"));
        Line("grown by", $"{receipt.Operator} ({receipt.Source})");
        Line("sizes", $"{grown}");
        Line("parameters", $"{receipt.ParametersBefore:N0} -> {receipt.ParametersAfter:N0}");
        string promise = InWords(receipt.Promise);
        if (receipt.Parity is not Parity parity)
        {
            Line("promise", $"scores as before: {promise}. Nothing was measured: name a text with --data.");
            return;
        }

        Line("loss", $"{parity.Before.Loss:F6} -> {parity.After.Loss:F6} nats a prediction, in f32 on {parity.Predictions:N0}");
        Line("gradient norm", $"{parity.Before.GradientNorm:G6} -> {parity.After.GradientNorm:G6}");
        Line("logit difference", $"{parity.LargestDifference:G3} at most, of scores up to {parity.LargestLogit:G4}");
        string held = parity.PromiseHeld switch
        {
            true => "held",
            false => "BROKEN",
            _ => "there is nothing to hold it to",
        };
        Line("promise", parity.PromiseHeld is null
            ? $"scores as before: {promise}; {held}"
            : (FormattableString)$"scores as before: {promise}; {held}, within {parity.Tolerance:G1} of the largest score");

        static void Line(string title, FormattableString text) =>
            Console.Out.WriteLine($"{title,-18}{text.ToString(CultureInfo.InvariantCulture)}");
    }

    private static string InWords(Kept kept) => kept switch
    {
        Kept.Exactly => "exactly",
        Kept.Approximately => "nearly",
        _ => "not",
    };

    private static void List(bool asJson)
    {
        if (asJson)
        {
            JsonOutput.Print(GrowthOperators.All.Select(entry => new
            {
                entry.Name,
                Grows = Grown(entry),
                Keeps = new { Gpt2 = Keeps(entry, Gpt2), Bert = Keeps(entry, Bert), Llama = Keeps(entry, Llama) },
                entry.Source,
            }));
            return;
        }

        Tables.Print(
            "Growth operators, and how far a model of twice the size computes what the model computed.",
            ["operator", "grows", "keeps a GPT-2", "keeps a BERT", "keeps a Llama", "source"],
            GrowthOperators.All.Select(entry => new[]
            {
                entry.Name, Grown(entry), Keeps(entry, Gpt2), Keeps(entry, Bert), Keeps(entry, Llama), entry.Source,
            }));
    }

    private static string Keeps(OperatorEntry entry, ModelConfig model) => InWords(entry.Keeps(model));

    private static string Grown(OperatorEntry entry) => string.Join(", ", Enum.GetValues<GrownSizes>()
        .Where(size => size != GrownSizes.None && entry.Grows.HasFlag(size))
        .Select(size => size == GrownSizes.FeedForward ? "feed-forward layer" : size.ToString().ToLowerInvariant()));
}
