using System.CommandLine;
using System.Globalization;
using Espalier.Data;
using Espalier.Models;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Cli;

/// <summary><c>espalier fill-mask</c>.</summary>
internal static class FillMaskCommand
{
    private const string MaskText = "[MASK]";

    public static Verb Create()
    {
        var checkpoint = new Argument<string>("CHECKPOINT")
        {
            Description = "A checkpoint of a BERT, any BERT in Hugging Face's form, or a run: then its latest checkpoint.",
        };
        var texts = new Argument<string[]>("TEXT")
        {
            Description = $"Texts with {MaskText} where a token is to be guessed. Without any, they are read from stdin, one a line.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var topK = new Option<int>("--top-k") { Description = "Guesses of each place.", HelpName = "K", DefaultValueFactory = _ => 5 };
        var json = new Option<bool>("--json")
        {
            Description = "Prints a JSON object a place, each on a line: text, position (of the token), guesses with score, token and token_str.",
        };
        var options = new ComputeOptions();
        var command = new Verb("fill-mask", "Guesses the tokens that a BERT expects in the places of a text that are masked.")
        {
            checkpoint, texts, topK, json,
        };
        command.Examples = [$"espalier fill-mask runs/bert 'the state of the {MaskText}'"];
        options.AddTo(command);
        command.SetAction(parsed =>
        {
            int most = parsed.GetValue(topK);
            if (most < 1)
            {
                throw new UserErrorException("--top-k must be at least 1.");
            }

            Compute compute = options.Of(parsed);
            using LoadedModel loaded = LoadedModel.Load(parsed.GetValue(checkpoint)!, compute.Device);
            if (loaded.Tokenizer.Mask is not int mask || loaded.Model.Architecture.Objective(loaded.Tokenizer) is not MaskedToken)
            {
                throw new UserErrorException(
                    $"{loaded.Path} does not guess masked tokens.", "Name a BERT; models of the GPT kind go on from a text: espalier generate.");
            }

            loaded.RequireFinite();
            string[] given = parsed.GetValue(texts) is { Length: > 0 } named ? named : StandardInput.Lines();
            EncodedText[] encoded = [.. given.Select(text => Encode(loaded, text, mask))];
            for (int i = 0; i < given.Length; i++)
            {
                foreach ((int position, Guess[] guesses) in Guesses(loaded, compute, encoded[i], mask, most))
                {
                    Print(given[i], position, guesses, parsed.GetValue(json));
                }
            }

            return 0;
        });
        return command;
    }

    private static EncodedText Encode(LoadedModel loaded, string text, int mask)
    {
        EncodedText encoded = loaded.Tokenizer.EncodeAsHuggingFace(text);
        return !encoded.Ids.Contains(mask) ? throw new UserErrorException($"There is no {MaskText} in '{text}'.", "Put it where a token is to be guessed.")
            : encoded.Ids.Length > loaded.Config.ContextLength ? throw new UserErrorException(
                $"'{text[..Math.Min(text.Length, 40)]}...' has {encoded.Ids.Length} tokens, and the model takes {loaded.Config.ContextLength}.", "Shorten it.")
            : encoded;
    }

    /// <summary>Of each masked place the likeliest tokens, the likeliest first, with their probabilities.</summary>
    private static List<(int Position, Guess[] Guesses)> Guesses(LoadedModel loaded, Compute compute, EncodedText text, int mask, int most)
    {
        using var scope = new TensorScope();
        using var noGradient = new NoGrad();
        using Autocast? autocast = compute.LowerProducts();
        long[] shape = [1, text.Ids.Length];
        var input = new ModelInput(
            Tensor.From<long>([.. text.Ids.Select(id => (long)id)], shape, compute.Device),
            Tensor.From<long>([.. text.TypeIds.Select(type => (long)type)], shape, compute.Device));
        Tensor logits_1TV = ForwardPass.Logits(loaded.Model, input, loaded.FullDepth);
        float[] probabilities = logits_1TV.To(ScalarType.Float32, Device.Cpu).Softmax().ToArray<float>();
        int vocabulary = loaded.Config.Vocabulary;
        return
        [
            .. Enumerable.Range(0, text.Ids.Length).Where(position => text.Ids[position] == mask).Select(position => (position, Likeliest(
                probabilities.AsSpan(position * vocabulary, Math.Min(vocabulary, loaded.Tokenizer.VocabularySize)).ToArray()))),
        ];

        Guess[] Likeliest(float[] ofTokens) =>
        [
            .. Enumerable.Range(0, ofTokens.Length).OrderByDescending(token => ofTokens[token]).Take(most)
                .Select(token => new Guess(ofTokens[token], token, loaded.Tokenizer.TokenOf(token))),
        ];
    }

    private static void Print(string text, int position, Guess[] guesses, bool asJson)
    {
        if (asJson)
        {
            JsonOutput.PrintLine(new { Text = text, Position = position, Guesses = guesses });
            return;
        }

        Console.Out.WriteLine($"{text}  (token {position})");
        foreach (Guess guess in guesses)
        {
            Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {guess.Score:F4}  {guess.TokenStr}"));
        }
    }

    private sealed record Guess(double Score, int Token, string TokenStr);
}
