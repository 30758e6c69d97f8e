using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Data;
using Espalier.Growth;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Tests.Data;
using Espalier.Tests.Growth;
using Espalier.Tests.Interop;
using Espalier.Torch;

namespace Espalier.Tests.Cli;

/// <summary>import, export and logits, and folders of Hugging Face in the other verbs.</summary>
[Collection(ConsoleCollection.Name)]
public sealed class FolderCommandTests : IDisposable
{
    private const string Ids = "5 1 30 7 7 0";

    private readonly TemporaryFolder _folder = new();
    private ParameterSet? _parameters;

    public void Dispose() => _folder.Dispose();

    /// <summary>The weights and logits of tests/tools/gpt2_oracle.py, in folders as transformers of several years write them.</summary>
    [Theory]
    [InlineData("today")]
    [InlineData("bare")]
    [InlineData("sharded")]
    public void AFolderOfHuggingFaceGivesTheLogitsOfTheReference(string form)
    {
        using Golden golden = Golden.Open("gpt2-forward");
        ModelConfig model = golden.Model();
        using ParameterSet parameters = golden.Parameters(model);
        HuggingFaceFolder stored = HuggingFaceFolder.Of(model, parameters);
        if (form == "bare")
        {
            stored.Rename(name => name["transformer.".Length..]);
        }

        string path = form == "sharded" ? stored.WriteSharded(_folder, 4) : stored.Write(_folder);
        Tensor ids = golden["input_ids"].Narrow(0, 0, 1).Reshape(-1);
        Near.Equal(
            golden["logits"].Narrow(0, 0, 1).Reshape(-1, model.Vocabulary),
            Logits(path, string.Join(' ', ids.ToArray<long>())), 5e-6);
    }

    /// <summary>The same of tests/tools/bert_oracle.py.</summary>
    [Theory]
    [InlineData("bert.", "bert.", "LayerNorm.weight")]
    [InlineData("bert.", "", "LayerNorm.gamma")]
    public void AFolderOfBertGivesTheLogitsOfTheReference(string prefix, string stored, string norm)
    {
        using Golden golden = Golden.Open("bert-forward");
        BertConfig model = Sample.Bert(3) with
        {
            HiddenSize = 32,
            Heads = 4,
            FfnSize = 48,
            ContextLength = 16,
            VocabularySize = 61,
        };
        using ParameterSet parameters = golden.Parameters(model);
        string path = HuggingFaceFolder.Of(model, parameters).Rename(name => name
            .Replace(prefix, stored, StringComparison.Ordinal).Replace("LayerNorm.weight", norm, StringComparison.Ordinal))
            .WriteSharded(_folder, 3);
        for (int row = 0; row < 3; row++)
        {
            string ids = string.Join(' ', golden["input_ids"].Narrow(0, row, 1).Reshape(-1).ToArray<long>());
            Near.Equal(golden["plain.logits"].Narrow(0, row, 1).Reshape(-1, 61), Logits(path, ids), 5e-6);
            if (row == 0)
            {
                // The one row without padding.
                string types = string.Join(' ', golden["token_type_ids"].Narrow(0, row, 1).Reshape(-1).ToArray<long>());
                Near.Equal(golden["padded.logits"].Narrow(0, row, 1).Reshape(-1, 61), Logits(path, ids, "--types", types), 5e-6);
            }
        }
    }

    [Theory]
    [InlineData(null, new[] { 0, 1 })]
    [InlineData(4, new[] { 0, 0, 1, 1 })]
    [InlineData(5, new[] { 1, 0, 0, 1, 0 })]
    [InlineData(3, new[] { 0, 0, 1 })]
    public void ExportWritesTheLayersThatRunAtADepth(int? depth, int[] layers)
    {
        string checkpoint = Checkpoint(ForwardPlan.Of([1, 0, 0, 1, 0]));
        string[] unrolled = depth is int n ? ["--depth", $"{n}"] : [];
        CommandLine.Succeed(["export", checkpoint, .. unrolled, "--out", _folder.File("exported")]);
        ModelConfig model = ModelFolder.ReadConfig(_folder.File("exported"));
        Assert.Equal(layers.Length, model.Layers);
        using ParameterSet parameters = ModelFolder.ReadParameters(_folder.File("exported"), model, Device.Cpu);
        foreach (Parameter parameter in parameters)
        {
            Tensor expected = parameter.Spec.Layer is int layer
                ? _parameters![layers[layer], parameter.Spec.Role]
                : _parameters![parameter.Spec.Role];
            Near.Identical(expected, parameter.Value, parameter.Name);
        }
    }

    [Theory]
    [InlineData("gpt2")]
    [InlineData("bert")]
    [InlineData("llama")]
    [InlineData("qwen3")]
    public void AnExportAtFullDepthComputesWhatTheCheckpointComputesThroughItsMap(string type)
    {
        string checkpoint = Checkpoint(ForwardPlan.Of([1, 0, 0, 1, 0]), type);
        CommandLine.Succeed(["export", checkpoint, "--depth", "5", "--out", _folder.File("full")]);
        CommandLine.Succeed(["export", checkpoint, "--out", _folder.File("stored")]);
        Near.Identical(Logits(checkpoint, Ids), Logits(_folder.File("full"), Ids));
        Near.Identical(Logits(checkpoint, Ids, "--depth", "stored"), Logits(_folder.File("stored"), Ids));
        Assert.NotEqual(Near.Values(Logits(_folder.File("full"), Ids)), Near.Values(Logits(_folder.File("stored"), Ids)));
        string text = _folder.Write("text.txt", "Der Baum wächst am Spalier.\n");
        string[] eval = ["--data", text, "--precision", "f32", "--json"];
        Assert.Equal(
            CommandLine.Succeed(["eval", checkpoint, .. eval]), CommandLine.Succeed(["eval", _folder.File("full"), .. eval]));
    }

    [Fact]
    public void BertReadsSegments()
    {
        using Model model = Sample.ModelOf(Sample.Bert(2));
        string folder = HuggingFaceFolder.Of(model.Config, model.Parameters).Rename(name => name.Replace("bert.", "", StringComparison.Ordinal)).Write(_folder);
        long[] ids = [5, 1, 30, 7, 7, 0], types = [0, 0, 0, 1, 1, 1];
        Tensor expected = ForwardPass.Logits(
            model, new ModelInput(Tensor.From<long>(ids, [1, 6]), Tensor.From<long>(types, [1, 6])), ForwardPlan.Plain(2));
        Near.Identical(expected.Reshape(6, 31), Logits(folder, Ids, "--types", "0 0 0 1 1 1"));
        Near.Identical(Logits(folder, Ids, "--types", "0,0,0,0,0,0"), Logits(folder, Ids));
        CommandLine.Fail(["logits", folder, "--ids", Ids, "--types", "0 1 2 0 0 0"], "--types: '2' is no number from 0 to 1");
        CommandLine.Fail(["logits", folder, "--ids", Ids, "--types", "0 1"], "--types has 2 numbers for 6 ids");
    }

    [Theory]
    [InlineData("f32", SafetensorsDType.F32, "float32")]
    [InlineData("bf16", SafetensorsDType.BF16, "bfloat16")]
    [InlineData("f16", SafetensorsDType.F16, "float16")]
    public void ExportRoundsWeights(string option, SafetensorsDType type, string inConfig)
    {
        CommandLine.Succeed(["export", Checkpoint(ForwardPlan.Plain(2)), "--dtype", option, "--out", _folder.File("out")]);
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(_folder.File("out"), "model.safetensors"));
        Assert.All(file.Entries, entry => Assert.Equal(type, entry.DType));
        Assert.Equal(inConfig, JsonNode.Parse(File.ReadAllText(_folder.File("out/config.json")))!["torch_dtype"]!.GetValue<string>());
        Assert.StartsWith("x", CommandLine.Succeed(["generate", _folder.File("out"), "--prompt", "x", "--tokens", "3"]), StringComparison.Ordinal);
    }

    [Fact]
    public void AnImportedFolderIsACheckpointForTheOtherVerbs()
    {
        HuggingFaceFolder stored = Stored(bytes: true).Rename(name => name["transformer.".Length..]);
        string source = stored.WriteSharded(_folder, 2), imported = _folder.File("new/imported");
        string said = CommandLine.Run(["import", source, "--out", imported]).Error;
        Assert.Contains("2 layers", said, StringComparison.Ordinal);
        Assert.Equal(
            ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"],
            Directory.EnumerateFiles(imported).Select(Path.GetFileName).Order());
        string text = _folder.Write("text.txt", "Der Baum wächst am Spalier.\n");
        Assert.Equal(
            CommandLine.Succeed(["eval", source, "--data", text, "--json"]),
            CommandLine.Succeed(["eval", imported, "--data", text, "--json"]));
        Assert.Equal(
            CommandLine.Succeed(["generate", source, "--tokens", "9", "--prompt", "a"]),
            CommandLine.Succeed(["generate", imported, "--tokens", "9", "--prompt", "a"]));
        CommandLine.Fail(
            ["export", imported, "--depth", "7", "--out", _folder.File("deep")],
            "--depth 7 is more than the 2 layers", "Leave --depth out");
    }

    [Fact]
    public void ImportTakesATokenizerFromElsewhere()
    {
        string source = Stored(bytes: true).Write(_folder);
        string tokenizer = _folder.File("elsewhere.json"), own = Path.Combine(source, "tokenizer.json");
        File.Move(own, tokenizer);
        CommandLine.Fail(["import", source, "--out", _folder.File("out")], "holds no tokenizer", "--tokenizer PATH");
        CommandLine.Fail(["eval", source, "--data", tokenizer], "tokenizer");
        Assert.False(Directory.Exists(_folder.File("out")));
        CommandLine.Succeed(["import", source, "--out", _folder.File("out"), "--tokenizer", tokenizer]);
        Assert.Equal(File.ReadAllBytes(tokenizer), File.ReadAllBytes(_folder.File("out/tokenizer.json")));
        CommandLine.Succeed(["import", Path.Combine(source, "model.safetensors"), "--out", _folder.File("other"), "--tokenizer", tokenizer]);
    }

    [Fact]
    public void WhatIsInTheWayStays()
    {
        string source = Stored(bytes: true).Write(_folder);
        string full = Path.GetDirectoryName(_folder.Write("full/text.txt", "mine"))!, file = _folder.Write("file", "mine");
        foreach (string verb in new[] { "import", "export" })
        {
            CommandLine.Fail([verb, source, "--out", full], full, "is not empty");
            CommandLine.Fail([verb, source, "--out", file], file, "is not empty");
            CommandLine.Fail([verb, source, "--out", source], source, "is not empty");
            CommandLine.Fail([verb, source, "--out", "/proc/no/such"], "/proc/no/such cannot be written");
            string empty = Directory.CreateDirectory(_folder.File("empty-" + verb)).FullName;
            CommandLine.Succeed([verb, source, "--out", empty + "/"]);
            Assert.True(File.Exists(Path.Combine(empty, "model.safetensors")));
        }

        Assert.Equal(["text.txt"], Directory.EnumerateFileSystemEntries(full).Select(Path.GetFileName));
    }

    [Fact]
    public void BadFoldersAreNamedByEveryVerb()
    {
        HuggingFaceFolder stored = Stored(bytes: true);
        string sound = stored.Write(_folder), sharded = stored.WriteSharded(_folder, 3);
        FailAll(_folder.File("none"), "none is no model", "config.json");

        string weights = Path.Combine(sound, "model.safetensors"), pickle = Path.Combine(sound, "pytorch_model.bin");
        File.Move(weights, pickle);
        FailAll(sound, "pytorch_model.bin is a pickle file", "HINT: ", "save_pretrained");
        CommandLine.Fail(["import", pickle, "--out", _folder.File("out")], "is a pickle file");
        File.Move(pickle, weights);

        File.Delete(Path.Combine(sharded, "model-00002-of-00003.safetensors"));
        FailAll(sharded, "1 of its 3 files is missing: model-00002-of-00003.safetensors.");

        stored.Config["n_embd"] = 24;
        FailAll(stored.Write(_folder, "wider"), "transformer.wte.weight is [257, 16]", "asks for [257, 24]", "HINT: ");
        stored.Config["n_embd"] = 16;
        stored.Config["n_layer"] = 3;
        FailAll(stored.Write(_folder, "deeper"), "missing: transformer.h.2.ln_1.weight [16]");
        stored.Config["n_layer"] = 1;
        FailAll(stored.Write(_folder, "shallower"), "superfluous: transformer.h.1.ln_1.bias F32 [16]");

        FailAll(Stored(bytes: false).Write(_folder, "small"), "the tokenizer has 257 tokens, but the model only 31", "--tokenizer PATH");
        CommandLine.Fail(
            ["import", sound, "--out", _folder.File("out"), "--tokenizer", _folder.Write("bad.json", "[]")], "bad.json");
        Assert.False(Directory.Exists(_folder.File("out")));

        void FailAll(string path, params string[] says)
        {
            string text = _folder.Write("text.txt", "text");
            foreach (string[] command in new string[][]
                { ["eval", path, "--data", text], ["generate", path], ["import", path, "--out", _folder.File("out")], ["export", path, "--out", _folder.File("out")] })
            {
                CommandLine.Fail(command, says);
            }
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    public void WeightsThatAreNotFiniteAreNeitherCopiedNorUsed(float number)
    {
        HuggingFaceFolder stored = Stored(bytes: true);
        stored.Tensors["transformer.ln_f.bias"] = Tensor.From<float>([.. Enumerable.Repeat(1f, 14), number, number], [16]);
        string source = stored.Write(_folder);
        string text = _folder.Write("text.txt", "words");
        foreach (string[] command in new[]
        {
            ["import", source, "--out", _folder.File("out")], ["export", source, "--out", _folder.File("out")],
            ["eval", source, "--data", text], new[] { "generate", source, "--tokens", "3" },
        })
        {
            CommandLine.Fail(
                command,
                $"{source}: 'transformer.ln_f.bias' has 2 numbers of 16 that are NaN or infinite", "HINT: ");
        }

        Assert.False(Directory.Exists(_folder.File("out")));
    }

    [Fact]
    public void MistakesInOptionsAreNamed()
    {
        string checkpoint = Checkpoint(ForwardPlan.Of([0, 0, 1, 1]));
        CommandLine.Fail(["import", checkpoint, "--out", _folder.File("out")], "still grows", "--depth 4");
        CommandLine.Fail(["export", checkpoint, "--depth", "1", "--out", _folder.File("out")], "--depth 1", "2 layers", "2 to 4 layers");
        CommandLine.Fail(["export", checkpoint, "--depth", "5", "--out", _folder.File("out")], "--depth 5 is more than the 4 layers");
        foreach (string type in new[] { "fp16", "1" })
        {
            CommandLine.Fail(
                ["export", checkpoint, "--dtype", type, "--out", _folder.File("out")], $"`--dtype {type}` is none of f32, bf16, f16.");
        }

        CommandLine.Fail(["export", checkpoint], "--out");
        CommandLine.Fail(["logits", checkpoint, "--ids", "1 257"], "--ids: '257' is no number from 0 to 256");
        CommandLine.Fail(["logits", checkpoint, "--ids", "1 -1"], "--ids: '-1' is no number");
        CommandLine.Fail(["logits", checkpoint, "--ids", " "], "0 ids");
        CommandLine.Fail(["logits", checkpoint, "--ids", "1 2 3 4 5 6 7 8 9 10 11 12 13"], "13 ids", "1 to 12");
    }

    private static HuggingFaceFolder Stored(bool bytes)
    {
        ModelConfig model = Sample.Model(2) with { VocabularySize = bytes ? 257 : 31 };
        return HuggingFaceFolder.Of(model, Sample.Parameters(model));
    }

    private string Checkpoint(ForwardPlan fullDepth, string type = "gpt2")
    {
        (ModelConfig shape, Tokenizer tokenizer) = type switch
        {
            "bert" => ((ModelConfig)Sample.Bert(2), (Tokenizer)WordPiece.Characters),
            "llama" => (GrowthSample.Llama(2), ByteLevelBpe.RawBytes),
            "qwen3" => (
                new Qwen3Config { Layers = 2, HiddenSize = 16, Heads = 4, KeyValueHeads = 2, HeadDim = 6, ContextLength = 12 },
                ByteLevelBpe.RawBytes),
            _ => (Sample.Model(2), ByteLevelBpe.RawBytes),
        };
        ModelConfig model = shape with { VocabularySize = tokenizer.VocabularySize };
        _parameters = Sample.Parameters(model);
        var state = new TrainingState(
            Model.Of(model, _parameters), OptimizerState.Begin(new AdamW(new AdamWConfig()), _parameters),
            new TrainingPosition());
        Espalier.Training.Checkpoint.Write(_folder.File("checkpoint"), state, fullDepth, tokenizer);
        return _folder.File("checkpoint");
    }

    /// <summary>Shape (T, V).</summary>
    private static Tensor Logits(string path, string ids, params string[] options)
    {
        float[][] rows =
        [
            .. CommandLine.Succeed(["logits", path, "--ids", ids, "--precision", "f32", .. options])
                .Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonSerializer.Deserialize<float[]>(line)!),
        ];
        return Tensor.From<float>(rows.SelectMany(row => row).ToArray(), [rows.Length, rows[0].Length]);
    }
}
