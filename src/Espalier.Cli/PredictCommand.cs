using System.CommandLine;
using System.Globalization;
using Espalier.Evaluation;
using Espalier.Finetuning;

namespace Espalier.Cli;

/// <summary><c>espalier predict</c>.</summary>
internal static class PredictCommand
{
    public static Verb Create()
    {
        var checkpoint = new Argument<string>("CHECKPOINT")
        {
            Description = "A fine-tuned model: a seed's folder of `finetune --out`, or any BERT, GPT-2, Llama or Qwen3 with a classifier of texts in Hugging Face's form.",
        };
        var file = new Argument<string>("FILE")
        {
            Description = "The texts: a .tsv, .csv or .jsonl, also .gz; - reads stdin, a text a line, with a tab between those of a pair.",
        };
        var keys = new Argument<string[]>("KEY=VALUE")
        {
            Description = "Where the texts stand and how they are read, as a task file says it: data.text=sentence (default: text), data.text_pair, " +
                "data.label (default: label), data.header=false, data.format=tsv, training.max_length, metrics=[accuracy].",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var measure = new Option<bool>("--measure")
        {
            Description = "Holds the predictions against the labels of the file, and prints the metrics alone.",
        };
        var json = new Option<bool>("--json") { Description = "Prints a JSON object a text, each on a line; with --measure one object." };
        var options = new ComputeOptions();
        var command = new Verb(
            "predict", "Gives texts a class, with the probability of each, or a score: a row a text, in their order, to stdout.")
        {
            checkpoint, file, keys, measure, json,
        };
        command.Examples =
        [
            "espalier predict tuned/sst2/seed-1 reviews.tsv data.text=sentence > predictions.tsv",
            "echo 'a film to remember' | espalier predict tuned/sst2/seed-1 - --json",
            "espalier predict tuned/sst2/seed-1 data/SST-2/dev.tsv data.text=sentence --measure",
        ];
        options.AddTo(command);
        command.SetAction(parsed =>
        {
            using var signals = new StopSignals();
            using SequencePredictor predictor = SequencePredictor.Open(parsed.GetValue(checkpoint)!, options.Of(parsed));
            TaskConfig task = predictor.TaskOf(parsed.GetValue(keys));
            string texts = parsed.GetValue(file)!;
            bool asJson = parsed.GetValue(json);
            if (!parsed.GetValue(measure))
            {
                Print(predictor, texts == "-"
                    ? predictor.Predict(StandardInput.Lines().Select(Texts), task, Warn, signals.Token)
                    : predictor.Predict(texts, task, Warn, signals.Token), asJson);
                return 0;
            }

            if (texts == "-")
            {
                throw new UserErrorException("--measure reads a file with labels, and stdin has none.", "Name the file in place of -.");
            }

            PrintMeasures(texts, predictor.Measure(texts, task, Warn, signals.Token), asJson);
            return 0;
        });
        return command;
    }

    private static (string Text, string? Pair) Texts(string line) => line.Split('\t', 2) is [string text, string pair] ? (text, pair) : (line, null);

    private static void Warn(string what) => Console.Error.WriteLine($"warning: {what}");

    private static void Print(SequencePredictor predictor, IReadOnlyList<Prediction> predictions, bool asJson)
    {
        if (!asJson)
        {
            Console.Out.WriteLine(string.Join('\t', ["index", "prediction", .. predictor.Labels]));
        }

        for (int i = 0; i < predictions.Count; i++)
        {
            Prediction made = predictions[i];
            if (!asJson)
            {
                Console.Out.WriteLine(string.Join('\t', [
                    i.ToString(CultureInfo.InvariantCulture), made.Label ?? made.Score!.Value.ToString("R", CultureInfo.InvariantCulture),
                    .. made.Probabilities.Select(probability => probability.ToString("F6", CultureInfo.InvariantCulture))]));
            }
            else if (made.Score is double score)
            {
                JsonOutput.PrintLine(new { Index = i, Score = score });
            }
            else
            {
                JsonOutput.PrintLine(new
                {
                    Index = i,
                    made.Label,
                    Probabilities = predictor.Labels.Zip(made.Probabilities).ToDictionary(of => of.First, of => of.Second),
                });
            }
        }
    }

    private static void PrintMeasures(string file, (IReadOnlyList<(MetricKind Metric, double Value)> Metrics, int Count) measured, bool asJson)
    {
        if (asJson)
        {
            // A correlation of equal scores is none; JSON has no NaN.
            JsonOutput.Print(new
            {
                Examples = measured.Count,
                Metrics = measured.Metrics.ToDictionary(
                    of => TaskMetrics.NameOf(of.Metric), of => double.IsNaN(of.Value) ? (double?)null : of.Value),
            });
            return;
        }

        Tables.Print(
            string.Create(CultureInfo.InvariantCulture, $"{file}: {measured.Count:N0} examples."), ["metric", "value"],
            measured.Metrics.Select(of => (IReadOnlyList<string>)
                [TaskMetrics.NameOf(of.Metric), double.IsNaN(of.Value) ? "-" : of.Value.ToString("F4", CultureInfo.InvariantCulture)]));
    }
}
