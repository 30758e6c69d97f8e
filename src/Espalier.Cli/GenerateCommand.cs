using System.CommandLine;
using System.Text;
using Espalier.Generation;
using Espalier.Torch;

namespace Espalier.Cli;

/// <summary><c>espalier generate</c>.</summary>
internal static class GenerateCommand
{
    private const int DefaultTokens = 200;

    public static Verb Create()
    {
        var checkpoint = new Argument<string>("CHECKPOINT")
        {
            Description = "A checkpoint, any GPT-2 in Hugging Face's form, or a run: then its latest checkpoint.",
        };
        var prompt = new Option<string>("--prompt")
        {
            Description = "The text to go on from. Default: the beginning of a document.",
            HelpName = "TEXT",
            DefaultValueFactory = _ => "",
        };
        var tokens = new Option<int>("--tokens")
        {
            Description = "Tokens to generate.",
            HelpName = "N",
            DefaultValueFactory = _ => DefaultTokens,
        };
        var temperature = new Option<double>("--temperature")
        {
            Description = "Below 1 the text is more probable, above 1 more daring; 0 always takes the likeliest token.",
            HelpName = "T",
            DefaultValueFactory = _ => 1,
        };
        var topK = new Option<int?>("--top-k")
        {
            Description = "Draws from the K likeliest tokens only.",
            HelpName = "K",
        };
        var topP = new Option<double>("--top-p")
        {
            Description = "Draws from the fewest likeliest tokens only that together reach the probability P.",
            HelpName = "P",
            DefaultValueFactory = _ => 1,
        };
        var seed = new Option<ulong>("--seed")
        {
            Description = "The same seed gives the same text.",
            HelpName = "S",
            DefaultValueFactory = _ => 42,
        };
        var stopAtEnd = new Option<bool>("--stop-at-end") { Description = "Stops where the document ends." };
        var compute = new ComputeOptions();
        var command = new Verb("generate", "Writes text with a model, to stdout.")
        {
            checkpoint, prompt, tokens, temperature, topK, topP, seed, stopAtEnd,
        };
        command.Examples =
        [
            "espalier generate runs/apollo",
            "espalier generate runs/apollo --prompt 'My fellow citizens' --tokens 500 --temperature 0.8 --top-p 0.95",
        ];
        compute.AddTo(command);
        command.SetAction(parsed =>
        {
            Require(parsed.GetValue(tokens) >= 0, "--tokens must be at least 0.");
            Require(parsed.GetValue(temperature) is >= 0 and < double.PositiveInfinity, "--temperature must be at least 0.");
            Require(parsed.GetValue(topK) is null or > 0, "--top-k must be at least 1.");
            Require(parsed.GetValue(topP) is > 0 and <= 1, "--top-p must be above 0 and at most 1.");
            (Device device, bool mixedPrecision) = compute.Of(parsed);
            using LoadedModel loaded = LoadedModel.Load(parsed.GetValue(checkpoint)!, device);
            int? end = loaded.Tokenizer.EndOfText;
            int[] context = Context(loaded, parsed.GetValue(prompt)!);
            var generator = new TextGenerator(loaded.Model, loaded.Parameters, loaded.FullDepth, device, mixedPrecision);
            var sampler = new TokenSampler(parsed.GetValue(temperature), parsed.GetValue(topK), parsed.GetValue(topP));

            using var signals = new StopSignals();
            var text = new Utf8Pieces(Console.Out);
            text.Write(Encoding.UTF8.GetBytes(parsed.GetValue(prompt)!));
            foreach (int token in generator.Continue(context, sampler, parsed.GetValue(seed)).Take(parsed.GetValue(tokens)))
            {
                if (signals.Token.IsCancellationRequested || (parsed.GetValue(stopAtEnd) && token == end))
                {
                    break;
                }

                // A model may have more rows of embedding than its tokenizer has tokens; those stand for nothing.
                if (token < loaded.Tokenizer.VocabularySize)
                {
                    text.Write(loaded.Tokenizer.DecodeToBytes([token]));
                }
            }

            text.Complete();
            Console.Out.WriteLine();
            return 0;
        });
        return command;
    }

    /// <summary>The prompt as in training: a document, of which this is the beginning.</summary>
    private static int[] Context(LoadedModel loaded, string prompt)
    {
        int[] context = [.. loaded.Tokenizer.EndOfText is int end ? [end] : Array.Empty<int>(), .. loaded.Tokenizer.Encode(prompt)];
        Require(context.Length > 0, "The model's tokenizer has no token for the beginning of a document: give a --prompt.");
        return context;
    }

    private static void Require(bool condition, string otherwise)
    {
        if (!condition)
        {
            throw new UserErrorException(otherwise);
        }
    }
}
