using System.Globalization;
using System.Text.Json;
using Espalier.Data;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Tests.Finetuning;

namespace Espalier.Tests.Cli;

/// <summary><c>espalier predict</c> gives what the fine-tuning itself predicted and measured with the model that it wrote.</summary>
[Collection(ConsoleCollection.Name)]
[Trait("Kind", "Slow")]
public sealed class PredictCommandTests : IDisposable
{
    private readonly TinyTask _task = new();

    public void Dispose() => _task.Dispose();

    private string File(string name) => _task.Folder.File(name);

    private string Tuned => File("tuned/seed-1");

    private void Finetune(ModelConfig model, Tokenizer tokenizer, string task, params string[] keys)
    {
        Directory.CreateDirectory(File("model"));
        using ParameterSet parameters = TinyTask.Pretrained(model);
        ModelFolder.Write(File("model"), model, parameters, tokenizer);
        CommandLine.Succeed(["finetune", File("model"), "--task", task, "--seeds", "1", "--precision", "f32", "--out", File("tuned"), .. keys]);
    }

    /// <summary>Its accuracy must be far above chance: then the texts, and not their order or padding, decide.</summary>
    [Theory]
    [InlineData("bert", 12, 6)]
    [InlineData("llama", 64, 12)]
    [InlineData("qwen3", 64, 12)]
    public void ClassesAreThoseOfTheFinetuning(string type, int length, int epochs)
    {
        string longest = $"training.max_length={length}";
        string rows = string.Concat(System.IO.File.ReadLines(File("dev.tsv")).Select((row, i) => $"{(i == 0 ? "index" : i)}\t{row}\n"));
        _task.Folder.Write("test.tsv", rows);
        (ModelConfig model, Tokenizer tokenizer) = type switch
        {
            "llama" => (TinyTask.Llama, ByteLevelBpe.RawBytes),
            "qwen3" => (TinyTask.Qwen3, ByteLevelBpe.RawBytes),
            _ => ((ModelConfig)TinyTask.Bert, _task.WordPiece),
        };
        Finetune(model, tokenizer, File("task.yaml"), "data.test=test.tsv", $"training.epochs={epochs}", longest);
        string[] expected = [.. System.IO.File.ReadLines(Path.Combine(Tuned, "predictions.tsv")).Skip(1).Select(line => line.Split('\t')[1])];
        Assert.Equal(["bad", "good"], expected.Distinct().Order());

        string[] lines = CommandLine.Succeed(
            ["predict", Tuned, File("test.tsv"), "data.text=sentence", longest, "--precision", "f32"]).TrimEnd().Split('\n');
        Assert.Equal("index\tprediction\tbad\tgood", lines[0]);
        Assert.Equal(expected, lines[1..].Select(line => line.Split('\t')[1]));
        foreach (string[] row in lines[1..].Select(line => line.Split('\t')))
        {
            double bad = Number(row[2]), good = Number(row[3]);
            Assert.Equal(1, bad + good, 5);
            Assert.Equal(good > bad ? "good" : "bad", row[1]);
        }

        // The same metrics as the fine-tuning measured after its last epoch.
        JsonElement results = JsonDocument.Parse(System.IO.File.ReadAllText(File("tuned/results.json"))).RootElement.GetProperty("metrics");
        JsonElement measured = JsonDocument.Parse(CommandLine.Succeed(
            ["predict", Tuned, File("dev.tsv"), "data.text=sentence", longest, "--measure", "--json", "--precision", "f32"])).RootElement;
        Assert.Equal(64, measured.GetProperty("examples").GetInt32());
        foreach (string metric in new[] { "accuracy", "matthews" })
        {
            Assert.Equal(results.GetProperty(metric).GetProperty("mean").GetDouble(), measured.GetProperty("metrics").GetProperty(metric).GetDouble(), 12);
        }

        Assert.InRange(measured.GetProperty("metrics").GetProperty("accuracy").GetDouble(), 0.8, 1);

        CommandLine.Fail(["predict", Tuned, File("dev.tsv")], "has no column `text`");
        if (type == "bert")
        {
            CommandLine.Fail(["predict", Tuned, File("dev.tsv"), "data.text=sentence", "training.max_length=1"], "1 tokens have no room for the 2 special ones");
        }

        CommandLine.Fail(["predict", Tuned, File("none.tsv")], "none.tsv does not exist");
        CommandLine.Fail(["predict", Tuned, File("dev.tsv"), "data.text=sentence", "data.label=sentence", "--measure"], "is none of the task's: bad, good");
        CommandLine.Fail(["predict", Tuned, "-", "--measure"], "stdin has none");
        CommandLine.Fail(["predict", File("model"), File("dev.tsv")], "has no classifier of texts", "espalier finetune");
    }

    /// <summary>A score of pairs, by a GPT: alone as among others, from a file as from a program that gives one pair.</summary>
    [Fact]
    public void ScoresOfPairsAreThoseOfTheFinetuning()
    {
        _task.Folder.Write("pairs.tsv", "a\tb\tscore\n" + string.Concat(Enumerable.Range(0, 16).Select(i => $"one {i}\ttwo {i}\t{i / 16.0}\n")));
        string task = _task.Folder.Write("pairs.yaml", """
            data: {train: pairs.tsv, validation: pairs.tsv, test: pairs.tsv, text: a, text_pair: b, label: score}
            range: [0, 1]
            metrics: [pearson]
            training: {epochs: 1}
            """);
        Finetune(TinyTask.Gpt2, ByteLevelBpe.RawBytes, task);
        string[] columns = ["data.text=a", "data.text_pair=b", "--precision", "f32"];
        double[] expected = [.. System.IO.File.ReadLines(Path.Combine(Tuned, "predictions.tsv")).Skip(1).Select(line => Number(line.Split('\t')[1]))];
        double[] scores =
        [
            .. CommandLine.Succeed(["predict", Tuned, File("pairs.tsv"), "--json", .. columns]).TrimEnd().Split('\n')
                .Select(line => JsonDocument.Parse(line).RootElement.GetProperty("score").GetDouble()),
        ];
        Assert.Equal(16, scores.Distinct().Count());
        Assert.All(expected.Zip(scores), pair => Assert.Equal(pair.First, pair.Second, 5));

        _task.Folder.Write("one.jsonl", """{"a": "one 7", "b": "two 7"}""");
        string one = CommandLine.Succeed(["predict", Tuned, File("one.jsonl"), .. columns]).TrimEnd().Split('\n')[1];
        Assert.Equal(expected[7], Number(one.Split('\t')[1]), 5);
        string typed = CommandLine.Succeed(["predict", Tuned, "-", "--precision", "f32"], "one 7\ttwo 7\n").TrimEnd();
        Assert.Equal($"index\tprediction\n{one}", typed);
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
