using System.Globalization;
using System.Text.Json;
using Espalier.Data;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Tests.Finetuning;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Tests.Cli;

[Collection(ConsoleCollection.Name)]
[Trait("Kind", "Slow")]
public sealed class FinetuneCommandTests : IDisposable
{
    private readonly TinyTask _task = new();
    private readonly string _model, _file;

    public FinetuneCommandTests()
    {
        _model = _task.Folder.File("model");
        Directory.CreateDirectory(_model);
        using ParameterSet parameters = TinyTask.Pretrained(TinyTask.Bert);
        ModelFolder.Write(_model, TinyTask.Bert, parameters, _task.WordPiece);
        _file = _task.Folder.File("task.yaml");
    }

    public void Dispose() => _task.Dispose();

    [Fact]
    public void SeedsAreSummedUp()
    {
        string output = _task.Folder.File("tuned");
        _task.Folder.Write("test.tsv", "index\tsentence\n0\tthe good film\n1\ta bad one\n");
        string[] command =
        [
            "finetune", _model, "--task", _file, "--seeds", "2", "--precision", "f32", "--json", "--out", output,
            "data.test=test.tsv", "training.epochs=2",
        ];
        JsonElement json = JsonDocument.Parse(CommandLine.Succeed(command)).RootElement;
        JsonElement accuracy = json.GetProperty("metrics").GetProperty("accuracy");
        double[] values = [.. accuracy.GetProperty("values").EnumerateArray().Select(value => value.GetDouble())];
        Assert.Equal(2, values.Length);
        Assert.Equal(values.Average(), accuracy.GetProperty("mean").GetDouble(), 12);
        Assert.Equal(Math.Abs(values[0] - values[1]) / Math.Sqrt(2), accuracy.GetProperty("std").GetDouble(), 12);
        Assert.Equal(0, json.GetProperty("constant_metrics").GetProperty("matthews").GetDouble());
        Assert.Equal([1, 2], json.GetProperty("seeds").EnumerateArray().Select(seed => seed.GetProperty("seed").GetInt32()));

        string tuned = Path.Combine(output, "seed-2");
        Assert.Equal(3, File.ReadAllLines(Path.Combine(tuned, "predictions.tsv")).Length);
        JsonElement config = JsonDocument.Parse(File.ReadAllText(Path.Combine(tuned, "config.json"))).RootElement;
        Assert.Equal("BertForSequenceClassification", config.GetProperty("architectures")[0].GetString());
        Assert.Equal("good", config.GetProperty("id2label").GetProperty("1").GetString());
        using SafetensorsFile weights = SafetensorsFile.Open(Path.Combine(tuned, ModelFolder.WeightsFile));
        Assert.Equal([2, 16], weights["classifier.weight"].Shape);
        Assert.Equal([16, 16], weights["bert.pooler.dense.weight"].Shape);
        Assert.DoesNotContain(weights.Names, name => name.StartsWith("cls.", StringComparison.Ordinal));
        Assert.True(File.Exists(Path.Combine(output, "results.json")));
    }

    /// <summary>
    /// transformers before 4.49 takes for a GPT's last token the one before the first that fills up: so none of those may stand
    /// between the texts, and tokenizer.json must say what does.
    /// </summary>
    [Fact]
    public void APairForAGptIsWholeWhateverReadsIt()
    {
        string output = _task.Folder.File("tuned"), model = _task.Folder.File("gpt");
        Directory.CreateDirectory(model);
        using ParameterSet parameters = TinyTask.Pretrained(TinyTask.Gpt2);
        ModelFolder.Write(model, TinyTask.Gpt2, parameters, ByteLevelBpe.RawBytes);
        _task.Folder.Write("pairs.tsv", "a\tb\tscore\n" + string.Concat(Enumerable.Range(0, 16).Select(i => $"one {i}\ttwo {i}\t{i / 16.0}\n")));
        _task.Folder.Write("pairs.yaml", """
            data: {train: pairs.tsv, validation: pairs.tsv, test: pairs.tsv, text: a, text_pair: b, label: score}
            range: [0, 1]
            metrics: [pearson]
            training: {epochs: 1, seeds: [1]}
            """);
        CommandLine.Succeed(["finetune", model, "--task", _task.Folder.File("pairs.yaml"), "--out", output, "--precision", "f32"]);

        string tuned = Path.Combine(output, "seed-1");
        JsonElement config = JsonDocument.Parse(File.ReadAllText(Path.Combine(tuned, "config.json"))).RootElement;
        var tokenizer = Tokenizer.Load(tuned);
        int[] ids = tokenizer.EncodeAsHuggingFace("one", "two").Ids;
        Assert.Equal("one\ntwo", tokenizer.Decode(ids));
        Assert.DoesNotContain(config.GetProperty("pad_token_id").GetInt32(), ids);
        Assert.Equal([0, 0, 0, 0, 0, 0, 0], tokenizer.EncodeAsHuggingFace("one", "two").TypeIds);
        Assert.Equal("one", tokenizer.Decode(tokenizer.EncodeAsHuggingFace("one", null).Ids));
        Assert.Equal(ByteLevelBpe.RawBytes.Fingerprint, Tokenizer.Load(model).Fingerprint);

        // Fine-tuned again, the folder stays as it is; and what it predicts was measured on these very ids.
        string again = _task.Folder.File("again");
        CommandLine.Succeed(["finetune", tuned, "--task", _task.Folder.File("pairs.yaml"), "--out", again, "--precision", "f32"]);
        Assert.Equal(tokenizer.Fingerprint, Tokenizer.Load(Path.Combine(again, "seed-1")).Fingerprint);
        using LoadedModel loaded = LoadedModel.Backbone(tuned, Device.Cpu);
        StoredSequenceHead head = SequenceModelFolder.ReadHead(tuned, loaded.Config, Device.Cpu);
        string[] predictions = File.ReadAllLines(Path.Combine(tuned, "predictions.tsv"));
        for (int i = 0; i < 16; i++)
        {
            using var scope = new TensorScope();
            using var noGradient = new NoGrad();
            int[] pair = tokenizer.EncodeAsHuggingFace($"one {i}", $"two {i}").Ids;
            Tensor hidden = ForwardPass.Hidden(loaded.Model, Tensor.From<long>([.. pair.Select(id => (long)id)], [1, pair.Length]), loaded.FullDepth);
            double score = Functional.Linear(
                hidden.Narrow(1, pair.Length - 1, 1).Reshape(1, -1), head.Parameters["score.weight"], Tensor.None, transposed: true).Item();
            Assert.Equal(score, double.Parse(predictions[i + 1].Split('\t')[1], CultureInfo.InvariantCulture), 1e-5);
        }
    }

    /// <summary>Nothing is read, let alone trained, for a folder that cannot be written in the end.</summary>
    [Fact]
    public void TheOutputFolderIsCheckedFirst()
    {
        string full = Path.GetDirectoryName(_task.Folder.Write("full/seed-1/config.json", "another task's"))!;
        string file = _task.Folder.Write("file", "mine");
        Fail(Path.GetDirectoryName(full)!, "is not empty: it is left as it is");
        Fail(file, "is not empty: it is left as it is");
        Fail(Path.Combine(file, "below"), "The model ", $"below cannot be written: {file} is a file.");
        Fail("/proc/no/such", "The model /proc/no/such cannot be written");
        Assert.Equal(["config.json"], Directory.EnumerateFileSystemEntries(full).Select(Path.GetFileName));

        string above = _task.Folder.File("above");
        CommandLine.Fail(
            ["finetune", _model, "--task", _file, "--out", Path.Combine(above, "new"), "data.train=none.tsv"], "none.tsv");
        Assert.False(Path.Exists(above));

        void Fail(string output, params string[] says) => CommandLine.Fail(
            ["finetune", _model, "--task", "none.yaml", "--out", output], [output, .. says]);
    }

    [Fact]
    public void WhatStopsASeedLeavesTheEarlierOnesWhole()
    {
        string output = _task.Folder.File("tuned");
        string first = Path.Combine(output, "seed-1"), second = Path.Combine(output, "seed-2");
        using var ended = new CancellationTokenSource();
        var obstacle = new Thread(() =>
        {
            while (!Directory.Exists(first) && !ended.IsCancellationRequested)
            {
                Thread.Sleep(1);
            }

            // Where the second seed's folder is to be written.
            Directory.CreateDirectory(second);
            File.WriteAllText(Path.Combine(second, "mine"), "");
        });
        obstacle.Start();
        CommandLine.Fail(
            ["finetune", _model, "--task", _file, "--seeds", "3", "--out", output, "training.epochs=16"],
            $"The model {second} cannot be written");
        ended.Cancel();
        obstacle.Join();
        Assert.Equal(
            ["results.json", "seed-1", "seed-2"],
            Directory.EnumerateFileSystemEntries(output).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(["mine"], Directory.EnumerateFileSystemEntries(second).Select(Path.GetFileName));
        Assert.Equal(TinyTask.Bert.Layers, ModelFolder.ReadConfig(first).Layers);
        JsonElement results = JsonDocument.Parse(File.ReadAllText(Path.Combine(output, "results.json"))).RootElement;
        Assert.Equal(1, Assert.Single(results.GetProperty("seeds").EnumerateArray()).GetProperty("seed").GetInt32());
    }

    [Fact]
    public void HelpSaysWhatIsWritten()
    {
        string help = CommandLine.Succeed(["finetune", "--help"]);
        Assert.All(["seed-N/", "predictions.tsv", "results.json"], name => Assert.Contains(name, help, StringComparison.Ordinal));
    }

    [Fact]
    public void RandomWeightsBeginElsewhere()
    {
        string[] command = ["finetune", _model, "--task", _file, "--seeds", "7,", "training.epochs=1"];
        Assert.NotEqual(CommandLine.Succeed([.. command, "--json"]), CommandLine.Succeed([.. command, "--json", "--random-init"]));
        Assert.Contains("seed 7", CommandLine.Succeed(command), StringComparison.Ordinal);
    }

    [Fact]
    public void DropoutIsTheTasksOrElseTheModels()
    {
        string[] command = ["finetune", _model, "--task", _file, "--seeds", "7,", "--precision", "f32", "--json", "training.epochs=1"];
        BertConfig own = TinyTask.Bert;
        string plain = CommandLine.Succeed(command);
        Assert.Equal((own.HiddenDropout, own.AttentionDropout, true), Tuned("null"));
        Assert.Equal((0.5, 0.5, false), Tuned("0.5"));

        (double Hidden, double Attention, bool LikePlain) Tuned(string dropout)
        {
            string output = _task.Folder.File("tuned-" + dropout);
            string result = CommandLine.Succeed([.. command, $"training.dropout={dropout}", "--out", output]);
            var config = (BertConfig)ModelFolder.ReadConfig(Path.Combine(output, "seed-7"));
            return (config.HiddenDropout, config.AttentionDropout, result == plain);
        }
    }

    [Fact]
    public void CutExamplesAreCountedOnce()
    {
        CommandLine result = CommandLine.Run(
        [
            "finetune", _model, "--task", _file, "training.max_length=6", "training.epochs=1",
            "data.test=dev.tsv", "--out", _task.Folder.File("tuned"),
        ]);
        Assert.Equal(0, result.ExitCode);
        Assert.Equal(2, result.Error.Split('\n').Count(line => line.StartsWith("warning: ", StringComparison.Ordinal)));
        Assert.Contains("examples are cut to max_length 6", result.Error, StringComparison.Ordinal);
        CommandLine.Fail(
            ["finetune", _model, "--task", _file, "training.max_length=6", "training.truncate=false"],
            "train.tsv", "longer than max_length 6", "training.truncate=true");
    }

    [Fact]
    public void MistakesAreNamed()
    {
        Fail([], ["There is no task `none.yaml`", "recipes/tasks"], task: "none.yaml");
        Fail(
            ["data.train=none.tsv", "source=https://example.org (Nobody 2000)"],
            ["none.tsv does not exist", "task is got from: https://example.org (Nobody 2000). Name the folder", "with --data"]);
        Fail(["labels=[bad, fine]"], ["train.tsv:", "the label `good` is none of the task's: bad, fine"]);
        Fail(["labels=[]", "range=[0, 5]", "metrics=[pearson]"], ["train.tsv:2", "no number in the task's range of 0 to 5"]);
        Fail(["data.text=sentense"], ["no column `sentense`", "sentence, label"]);
        Fail(["data.header=false"], ["data.text: `sentence` is a name", "data.label: `label` is a name"]);
        Fail(["training.epoch=3"], ["training.epoch: is not a key of a task", "training.epochs"]);
        Fail(["metrics=[pearson]"], ["pearson is a measure of scores"]);
        Fail(["labels=[bad]"], ["labels: is [bad]", "two classes"]);
        Fail(["range=[0, 5]"], ["labels: stands beside range"]);
        Fail(["training.seeds=[1, 1]"], ["training.seeds", "none twice"]);
        Fail(["training.dropout=1"], ["training.dropout: is 1", "less than 1"]);
        Fail(["training.learning_rate=1e30"], ["training.learning_rate: is 1e+30", "at most 100"]);
        Fail(["--seeds", "many"], ["--seeds many is neither a count nor a list", "for the seed 7 alone `7,`."]);

        _task.Folder.Write("dev.tsv", "sentence\tlabel\ngood\tgood\ngood\n");
        Fail([], ["dev.tsv:3: the row has 1 column, where the header has 2"]);
        _task.Folder.Write("dev.tsv", "sentence\tlabel\n");
        Fail([], ["dev.tsv holds no examples"]);
        _task.Folder.Write("dev.csv", "sentence\tlabel\ngood\tgood\n");
        Fail(["data.validation=dev.csv"], ["no column `sentence`", "1 column: sentence<TAB>label.", "The row holds tabs: set data.format=tsv"]);
        _task.Folder.Write("dev.csv", "sentence,label\n\"good,good\n");
        Fail(["data.validation=dev.csv"], ["dev.csv:2: the quote that opens a column here is never closed"]);
        _task.Folder.Write("dev.jsonl", "{\"sentence\": \"good\"}\n");
        Fail(["data.validation=dev.jsonl"], ["dev.jsonl:1 has no \"label\""]);
        _task.Folder.Write("dev.txt", "good\n");
        Fail(["data.validation=dev.txt"], ["dev.txt is of an unknown kind"]);

        void Fail(string[] with, string[] says, string? task = null) =>
            CommandLine.Fail(["finetune", _model, "--task", task ?? _file, .. with], says);
    }

    [Fact]
    public void AMaskedModelIsMeasuredOnMaskedTokens()
    {
        string text = _task.Folder.Write("text.txt", string.Concat(Enumerable.Repeat("the good film is a very bad one and so long ", 20)));
        JsonElement json = JsonDocument.Parse(
            CommandLine.Succeed(["eval", _model, "--data", text, "--json", "--precision", "f32"])).RootElement;
        int masked = json.GetProperty("masked_tokens").GetInt32();
        Assert.InRange(masked, 15, 60);
        double right = json.GetProperty("accuracy").GetDouble() * masked;
        Assert.Equal(Math.Round(right), right, 9);
        Assert.True(json.GetProperty("loss").GetDouble() > 1);
        Assert.Equal(16, json.GetProperty("stride").GetInt32());
        CommandLine.Fail(["eval", _model, "--lambada", text], "is a masked language model");
        CommandLine.Fail(["eval", _model], "either --data PATH or --lambada FILE");
    }
}
