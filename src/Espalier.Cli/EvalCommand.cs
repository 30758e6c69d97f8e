using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Espalier.Data;
using Espalier.Evaluation;
using Espalier.Models;
using Espalier.Training;

namespace Espalier.Cli;

/// <summary><c>espalier eval</c>.</summary>
internal static class EvalCommand
{
    public static Verb Create()
    {
        var checkpoint = new Argument<string>("CHECKPOINT")
        {
            Description = "A checkpoint, any model in Hugging Face's form, or a run: then its latest checkpoint.",
        };
        var data = new Option<string?>("--data")
        {
            Description = "A text file, a folder of them, or a prepared dataset: then its held-out part.",
            HelpName = "PATH",
        };
        var lambada = new Option<string?>("--lambada")
        {
            Description = "Instead of --data: passages whose last word is to be guessed (LAMBADA), one a line of a .txt, or as " +
                "\"text\" in a .jsonl; also .gz.",
            HelpName = "FILE",
        };
        var stride = new Option<int?>("--stride")
        {
            Description = "Tokens from one window to the next. Default: the context length, so that windows do not overlap; " +
                "with less, every token is predicted from a longer context, and it takes longer.",
            HelpName = "N",
        };
        var depth = new DepthOption();
        var json = new Option<bool>("--json") { Description = "Prints a JSON object." };
        var options = new ComputeOptions();
        var command = new Verb("eval", "Measures how well a model predicts a text: loss, perplexity, bits a byte; of a BERT, masked tokens.")
        {
            checkpoint, data, lambada, stride, depth, json,
        };
        command.Examples =
        [
            "espalier eval runs/apollo --data data/sotu-bytes",
            "espalier eval runs/apollo/checkpoints/step-00006000 --data book.txt --stride 32 --json",
            "espalier eval runs/apollo --lambada lambada_test.jsonl",
        ];
        options.AddTo(command);
        command.SetAction(parsed =>
        {
            Compute compute = options.Of(parsed);
            using LoadedModel loaded = LoadedModel.Load(parsed.GetValue(checkpoint)!, compute.Device);
            loaded.RequireFinite();
            ForwardPlan plan = loaded.Plan(parsed.GetValue(depth));
            var evaluation = new ModelEvaluation(loaded.Model, plan, loaded.Tokenizer, compute);
            var run = new Run(loaded, plan, evaluation, parsed.GetValue(json));
            switch (parsed.GetValue(data), parsed.GetValue(lambada))
            {
                case (string text, null):
                    run.Text(text, parsed.GetValue(stride));
                    return 0;
                case (null, string passages):
                    run.Lambada(passages);
                    return 0;
                default:
                    throw new UserErrorException("Name what to measure on: either --data PATH or --lambada FILE.");
            }
        });
        return command;
    }

    /// <summary>A loaded model on a device, and how its figures are to be printed.</summary>
    private sealed class Run(
        LoadedModel loaded, ForwardPlan plan, ModelEvaluation evaluation, bool json)
    {
        public void Text(string path, int? stride)
        {
            if (stride < 1 || stride > loaded.Config.ContextLength)
            {
                throw new UserErrorException(
                    $"--stride {stride} is not between 1 and the model's context of {loaded.Config.ContextLength} tokens.");
            }

            (LossResult loss, DatasetPart text) = WithProgress(show => evaluation.OnText(path, stride, show));
            Figure[] figures = evaluation.PredictsEveryToken ? Predicted(new Perplexity(loss, text)) : Masked(loss, text);
            Print([.. figures, .. Windows(stride ?? loaded.Config.ContextLength)]);
        }

        public void Lambada(string path)
        {
            loaded.RequireNextToken("LAMBADA is for models of the GPT kind; measure this one with --data.");
            LambadaResult result = WithProgress(show => evaluation.OnLastWords(path, show));
            Print(
            [
                new("accuracy", "accuracy", result.Accuracy, $"{result.Accuracy:F4} of the last words"),
                new("perplexity", "perplexity", result.Perplexity, $"{result.Perplexity:F3} a last word"),
                new("loss", "loss", result.Loss, $"{result.Loss:F4} nats a last word"),
                new("passages", "passages", result.Passages, $"{result.Passages:N0}"),
                new("tokens", "tokens", result.Tokens, $"{result.Tokens:N0} of last words"),
                new("cut_passages", "cut passages", result.Cut, $"{result.Cut:N0}: longer than the context, of which the end was read"),
                Layers,
            ]);
        }

        private Figure[] Predicted(Perplexity result) =>
        [
            new("loss", "loss", result.Loss, $"{result.Loss:F4} nats a token"),
            new("perplexity", "perplexity", result.PerToken, $"{result.PerToken:F3}"),
            new("tokens", "tokens", result.Tokens, $"{result.Tokens:N0}"),
            new("bytes", "bytes", result.Bytes, $"{result.Bytes:N0}"),
            new("loss_per_byte", "loss per byte", result.LossPerByte, $"{result.LossPerByte:F4} nats"),
            new("bits_per_byte", "bits per byte", result.BitsPerByte, $"{result.BitsPerByte:F4}"),
            new("words", "words", result.Words, $"{result.Words:N0}"),
            new("perplexity_per_word", "perplexity per word", result.PerWord, $"{result.PerWord:G6}"),
        ];

        private static Figure[] Masked(LossResult result, DatasetPart text) =>
        [
            new("loss", "loss", result.Loss, $"{result.Loss:F4} nats a masked token"),
            new("perplexity", "perplexity", result.Perplexity, $"{result.Perplexity:F3} a masked token"),
            new("accuracy", "accuracy", result.Accuracy, $"{result.Accuracy:F4} of the masked tokens"),
            new("masked_tokens", "masked tokens", result.Tokens, $"{result.Tokens:N0}"),
            new("tokens", "tokens", text.Tokens, $"{text.Tokens:N0}"),
        ];

        private Figure[] Windows(int stride) =>
        [
            new("context", "context", loaded.Config.ContextLength, $"{loaded.Config.ContextLength} tokens"),
            new("stride", "stride", stride, $"{stride} tokens from window to window"),
            Layers,
        ];

        private Figure Layers => new("executed_layers", "executed layers", plan.Depth, $"{plan.Depth}");

        private static T WithProgress<T>(Func<Action<double>, T> work)
        {
            using var line = new ProgressLine();
            return work(share => line.Show(() => string.Create(
                CultureInfo.InvariantCulture, $"evaluating {ProgressLine.Bar(share, 16)} {share:P0}")));
        }

        private void Print(Figure[] figures)
        {
            if (json)
            {
                var result = new JsonObject();
                foreach (Figure figure in figures)
                {
                    result[figure.Key] = figure.Json;
                }

                JsonOutput.Print(result);
                return;
            }

            foreach (Figure figure in figures)
            {
                Console.Out.WriteLine($"{figure.Name,-20} {figure.Text.ToString(CultureInfo.InvariantCulture)}");
            }
        }
    }

    /// <summary>A measured value: for programs under a key, for people with a name and its unit.</summary>
    private sealed record Figure(string Key, string Name, double Value, FormattableString Text)
    {
        // Whole numbers stay whole. JSON knows no infinity: an untrained model's perplexity per word is beyond any double.
        public JsonNode? Json => !double.IsFinite(Value) ? null
            : Value == Math.Floor(Value) && Math.Abs(Value) < 1L << 53 ? JsonValue.Create((long)Value) : JsonValue.Create(Value);
    }
}
