using System.Text.Json.Nodes;
using Espalier.Data;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Tests.Finetuning;
using Espalier.Torch;

namespace Espalier.Tests.Cli;

/// <summary>Fine-tuning begins with any folder that holds the backbone, whatever head is on it.</summary>
[Collection(ConsoleCollection.Name)]
[Trait("Kind", "Slow")]
public sealed class FinetuneFromAnyFolderTests : IDisposable
{
    private readonly TinyTask _task = new();

    public void Dispose() => _task.Dispose();

    [Fact]
    public void ALanguageModel()
    {
        string model = Folder(TinyTask.Bert);
        Assert.Equal($"note: taken over from {model}: the backbone; new: the pooler, the classifier.", NoteOf(model));
        model = Folder(TinyTask.Gpt2);
        Assert.Equal($"note: taken over from {model}: the backbone; new: the classifier.", NoteOf(model));
        Assert.DoesNotContain("taken over", CommandLine.Run(Tuning(model, "--random-init")).Error, StringComparison.Ordinal);
    }

    /// <summary>BertModel and GPT2Model write their tensors without a prefix; BertModel's pooler is of use.</summary>
    [Fact]
    public void ABareBackbone()
    {
        string bert = Folder(TinyTask.Bert, tensors =>
        {
            Remove(tensors, "cls.");
            AddPooler(tensors);
            Rename(tensors, name => name["bert.".Length..]);
        });
        Assert.Equal($"note: taken over from {bert}: the backbone, the pooler; new: the classifier.", NoteOf(bert));
        using (SafetensorsFile before = Weights(bert), after = Weights(Tuned(bert, "still", "training.learning_rate=1e-30")))
        {
            string[] names = ["pooler.dense.weight", "pooler.dense.bias", "encoder.layer.1.output.dense.weight"];
            Assert.All(names, name => Assert.Equal(Bytes(before, name), Bytes(after, "bert." + name)));
        }

        NeedsALanguageModel(
            bert, "a bare backbone: it lacks cls.predictions.transform.dense.weight [16, 16], ",
            "cls.predictions.bias [16].");

        string gpt = Folder(TinyTask.Gpt2, tensors => Rename(tensors, name => name["transformer.".Length..]));
        Assert.Equal($"note: taken over from {gpt}: the backbone; new: the classifier.", NoteOf(gpt));

        string untied = Folder(TinyTask.Gpt2 with { TiedHead = false }, tensors => tensors.Remove("lm_head.weight"));
        Assert.Equal($"note: taken over from {untied}: the backbone; new: the classifier.", NoteOf(untied));
        NeedsALanguageModel(untied, "a bare backbone: it lacks lm_head.weight [257, 32].");
    }

    /// <summary>What one fine-tuning wrote, the next goes on from; at a rate of next to nothing it stays what it is.</summary>
    [Theory]
    [InlineData(false, "the backbone, the pooler, the classifier")]
    [InlineData(true, "the backbone, the classifier")]
    public void AClassifierOfTheSameLabels(bool gpt, string taken)
    {
        string tuned = Tuned(Folder(gpt ? TinyTask.Gpt2 : TinyTask.Bert), "first");
        Assert.Equal($"note: taken over from {tuned}: {taken}.", NoteOf(tuned));
        string again = Tuned(tuned, "second", "training.learning_rate=1e-30", "training.seeds=[2]");
        using SafetensorsFile before = Weights(tuned), after = Weights(again);
        Assert.Equal(before.Names.Order(), after.Names.Order());
        Assert.All(before.Names, name => Assert.Equal(Bytes(before, name), Bytes(after, name)));

        string head = gpt ? "score.weight" : "classifier.bias, classifier.weight";
        NeedsALanguageModel(
            tuned, $"a classifier ({head})", gpt ? "." : ": it lacks cls.predictions.transform.dense.weight [16, 16]");
    }

    [Fact]
    public void AClassifierOfOtherLabelsIsLeftBehind()
    {
        string tuned = Tuned(Folder(TinyTask.Bert), "first");
        Assert.Equal(
            $"note: taken over from {tuned}: the backbone, the pooler; " +
                "new: the classifier (the one there tells apart bad, good).",
            NoteOf(tuned, "labels=[good, bad]"));
        Scores();
        string[] regression = ["labels=[]", "range=[0, 5]", "metrics=[pearson]"];
        Assert.EndsWith("(the one there tells apart bad, good).", NoteOf(tuned, regression), StringComparison.Ordinal);

        string scored = Tuned(tuned, "scored", regression);
        Assert.Equal(
            $"note: taken over from {scored}: the backbone, the pooler, the classifier.",
            NoteOf(scored, [.. regression, "training.epochs=1"]));
        Assert.EndsWith(
            "new: the classifier (the one there gives scores).",
            NoteOf(scored, "labels=['4.5', '1.0']"), StringComparison.Ordinal);

        void Scores()
        {
            foreach (string name in new[] { "train.tsv", "dev.tsv" })
            {
                _task.Folder.Write(name, File.ReadAllText(_task.Folder.File(name))
                    .Replace("\tgood", "\t4.5", StringComparison.Ordinal).Replace("\tbad", "\t1.0", StringComparison.Ordinal));
            }
        }
    }

    /// <summary>Hugging Face leaves two labels without names out of config.json; a single one is a score.</summary>
    [Fact]
    public void LabelsAreReadAsTransformersReadsThem()
    {
        string tuned = Tuned(Folder(TinyTask.Bert), "first");
        Edit(tuned, config => config.Remove("id2label"));
        Assert.EndsWith("(the one there tells apart LABEL_0, LABEL_1).", NoteOf(tuned), StringComparison.Ordinal);
        Edit(tuned, config => config["problem_type"] = "multi_label_classification");
        Assert.EndsWith("; new: the classifier.", NoteOf(tuned), StringComparison.Ordinal);
        Edit(tuned, config => config["architectures"] = new JsonArray("BertForTokenClassification"));
        Assert.EndsWith("; new: the classifier.", NoteOf(tuned), StringComparison.Ordinal);

        Edit(tuned, config =>
        {
            config["architectures"] = new JsonArray("BertForSequenceClassification");
            config["problem_type"] = null;
            config["id2label"] = new JsonObject { ["0"] = "bad", ["2"] = "good" };
        });
        CommandLine.Fail(Tuning(tuned), "config.json: id2label has 2 labels, but none for 1");
        Edit(tuned, config => config["id2label"] = new JsonObject { ["0"] = "bad", ["1"] = "fair", ["2"] = "good" });
        CommandLine.Fail(Tuning(tuned), "wrong shape: classifier.weight is [2, 16], config.json asks for [3, 16]");
    }

    [Fact]
    public void AHeadForAnotherTaskIsLeftBehind()
    {
        string model = Folder(TinyTask.Bert, tensors =>
        {
            Remove(tensors, "cls.");
            tensors.Add("qa_outputs.weight", Tensor.Zeros([2, 16]));
            tensors.Add("qa_outputs.bias", Tensor.Zeros([2]));
        });
        Assert.Equal($"note: taken over from {model}: the backbone; new: the pooler, the classifier.", NoteOf(model));
        NeedsALanguageModel(model, "a model for another task (qa_outputs.bias, qa_outputs.weight): it lacks cls.");
    }

    [Fact]
    public void ABackboneMustBeWhole()
    {
        string model = Folder(TinyTask.Bert, tensors =>
        {
            Remove(tensors, "cls.");
            tensors.Remove("bert.encoder.layer.1.output.dense.bias");
            tensors.Add("bert.encoder.layer.2.output.dense.bias", Tensor.Zeros([16]));
        });
        CommandLine.Fail(
            Tuning(model), "superfluous: bert.encoder.layer.2.output.dense.bias",
            "missing: bert.encoder.layer.1.output.dense.bias [16]");
    }

    private void NeedsALanguageModel(string model, params string[] says)
    {
        string[][] commands =
        [
            ["logits", model, "--ids", "1 2"],
            ["generate", model],
            ["eval", model, "--data", _task.Folder.File("train.tsv")],
            ["import", model, "--out", _task.Folder.File("imported")],
            ["export", model, "--out", _task.Folder.File("exported")],
        ];
        string weights = Path.Combine(model, ModelFolder.WeightsFile);
        string[] all = [$"{weights} holds no language model but ", "fit for espalier finetune only", .. says];
        Assert.All(commands, command => CommandLine.Fail(command, all));
    }

    private string[] Tuning(string model, params string[] more) =>
        ["finetune", model, "--task", _task.Folder.File("task.yaml"), "--precision", "f32", "training.epochs=1", .. more];

    private string NoteOf(string model, params string[] overrides)
    {
        CommandLine result = CommandLine.Run(Tuning(model, overrides));
        Assert.True(result.ExitCode == 0, result.Error);
        return Assert.Single(result.Error.Split('\n'), line => line.StartsWith("note: ", StringComparison.Ordinal));
    }

    /// <summary>The folder that a fine-tuning writes.</summary>
    private string Tuned(string model, string name, params string[] overrides)
    {
        string output = _task.Folder.File(name);
        CommandLine.Succeed(Tuning(model, ["--out", output, .. overrides]));
        return Assert.Single(Directory.GetDirectories(output));
    }

    /// <summary>A language model's folder, bent.</summary>
    private string Folder(ModelConfig model, Action<Dictionary<string, Tensor>>? bend = null)
    {
        string folder = Directory.CreateDirectory(_task.Folder.File($"model-{Guid.NewGuid():N}")).FullName;
        using ParameterSet parameters = TinyTask.Pretrained(model);
        ModelFolder.Write(folder, model, parameters, model is BertConfig ? _task.WordPiece : ByteLevelBpe.RawBytes);
        Dictionary<string, Tensor> tensors =
            parameters.ToDictionary(parameter => parameter.Name, parameter => parameter.Value);
        bend?.Invoke(tensors);
        SafetensorsWriter.Write(
            Path.Combine(folder, ModelFolder.WeightsFile), tensors.Select(pair => TensorFile.Entry(pair.Key, pair.Value)));
        return folder;
    }

    private static void AddPooler(Dictionary<string, Tensor> tensors)
    {
        tensors.Add("bert.pooler.dense.weight", Sample.Normal(9, 16, 16));
        tensors.Add("bert.pooler.dense.bias", Sample.Normal(8, 16));
    }

    private static void Remove(Dictionary<string, Tensor> tensors, string prefix)
    {
        foreach (string name in tensors.Keys.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).ToArray())
        {
            tensors.Remove(name);
        }
    }

    private static void Rename(Dictionary<string, Tensor> tensors, Func<string, string> rename)
    {
        foreach ((string name, Tensor tensor) in tensors.ToArray())
        {
            tensors.Remove(name);
            tensors.Add(rename(name), tensor);
        }
    }

    private static void Edit(string folder, Action<JsonObject> edit)
    {
        string path = Path.Combine(folder, "config.json");
        JsonObject config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        edit(config);
        File.WriteAllText(path, config.ToJsonString());
    }

    private static SafetensorsFile Weights(string folder) =>
        SafetensorsFile.Open(Path.Combine(folder, ModelFolder.WeightsFile));

    private static byte[] Bytes(SafetensorsFile file, string name) => file.Bytes(name).ToArray();
}
