using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Evaluation;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Cli;

/// <summary><c>espalier eval</c>.</summary>
internal static class EvalCommand
{
    // Tokens computed at a time, fewer where the vocabulary is so large that their logits would fill the memory.
    private const int BatchTokens = 4096;
    private const int BatchLogits = 1 << 27;

    private enum Depth
    {
        Full,
        Stored,
    }

    public static Verb Create()
    {
        var checkpoint = new Argument<string>("CHECKPOINT")
        {
            Description = "A checkpoint, any GPT-2 in Hugging Face's form, or a run: then its latest checkpoint.",
        };
        var data = new Option<string>("--data")
        {
            Description = "A text file, a folder of them, or a prepared dataset: then its held-out part.",
            Required = true,
            HelpName = "PATH",
        };
        var stride = new Option<int?>("--stride")
        {
            Description = "Tokens from one window to the next. Default: the context length, so that windows do not overlap; " +
                "with less, every token is predicted from a longer context, and it takes longer.",
            HelpName = "N",
        };
        var depth = new Option<Depth>("--depth")
        {
            Description = "full: every layer that the finished model will have, through the layer map of training; " +
                "stored: each layer of the checkpoint once.",
            HelpName = "full|stored",
            DefaultValueFactory = _ => Depth.Full,
        };
        var json = new Option<bool>("--json") { Description = "Prints a JSON object." };
        var compute = new ComputeOptions();
        var command = new Verb("eval", "Measures how well a model predicts a text: loss, perplexity, bits a byte.")
        {
            checkpoint, data, stride, depth, json,
        };
        command.Examples =
        [
            "espalier eval runs/apollo --data data/sotu-bytes",
            "espalier eval runs/apollo/checkpoints/step-00006000 --data book.txt --stride 32 --json",
        ];
        compute.AddTo(command);
        command.SetAction(parsed =>
        {
            (Device device, bool mixedPrecision) = compute.Of(parsed);
            using LoadedModel loaded = LoadedModel.Load(parsed.GetValue(checkpoint)!, device);
            ForwardPlan plan = parsed.GetValue(depth) == Depth.Full
                ? loaded.FullDepth
                : ForwardPlan.Plain(loaded.Model.Layers);
            int? step = parsed.GetValue(stride);
            if (step < 1 || step > loaded.Model.ContextLength)
            {
                throw new UserErrorException(
                    $"--stride {step} is not between 1 and the model's context of {loaded.Model.ContextLength} tokens.");
            }

            using EvaluationText text = EvaluationText.Open(parsed.GetValue(data)!, loaded.Tokenizer);
            int windows = Math.Max(
                1, Math.Min(BatchTokens, BatchLogits / loaded.Model.Vocabulary) / loaded.Model.ContextLength);
            var measure = new HeldOutLoss(
                Architectures.Of(loaded.Model.ModelType).Objective(loaded.Tokenizer), text.Tokens, windows, null, device, mixedPrecision, step);
            LossResult loss;
            using (var line = new ProgressLine())
            {
                loss = measure.Measure(loaded.Model, loaded.Parameters, plan, share => line.Show(() => string.Create(
                    CultureInfo.InvariantCulture, $"evaluating {ProgressLine.Bar(share, 16)} {share:P0}")));
            }

            Print(new Perplexity(loss, text.Size), plan, parsed.GetValue(json));
            return 0;
        });
        return command;
    }

    private static void Print(Perplexity result, ForwardPlan plan, bool json)
    {
        if (json)
        {
            Console.Out.WriteLine(new JsonObject
            {
                ["loss"] = result.Loss,
                ["perplexity"] = Finite(result.PerToken),
                ["tokens"] = result.Tokens,
                ["bytes"] = result.Bytes,
                ["loss_per_byte"] = result.LossPerByte,
                ["bits_per_byte"] = result.BitsPerByte,
                ["words"] = result.Words,
                ["perplexity_per_word"] = Finite(result.PerWord),
            }.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
            return;
        }

        Line("loss", $"{result.Loss:F4} nats a token");
        Line("perplexity", $"{result.PerToken:F3}");
        Line("tokens", $"{result.Tokens:N0}");
        Line("bits per byte", $"{result.BitsPerByte:F4}  ({result.LossPerByte:F4} nats, {result.Bytes:N0} bytes)");
        Line("perplexity per word", $"{result.PerWord:G6}  ({result.Words:N0} words)");
        Line("executed layers", $"{plan.Depth}");

        static void Line(string name, FormattableString value) =>
            Console.Out.WriteLine($"{name,-20} {value.ToString(CultureInfo.InvariantCulture)}");

        // JSON knows no infinity: an untrained model's perplexity per word is beyond any double.
        static JsonNode? Finite(double value) => double.IsFinite(value) ? JsonValue.Create(value) : null;
    }
}
