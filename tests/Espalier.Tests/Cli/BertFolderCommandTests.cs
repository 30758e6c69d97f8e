using System.Globalization;
using System.Text.Json;
using Espalier.Data;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Tests.Finetuning;
using Espalier.Tests.Interop;
using Espalier.Torch;

namespace Espalier.Tests.Cli;

/// <summary>A BERT of Hugging Face in every verb that takes a model or a tokenizer.</summary>
[Collection(ConsoleCollection.Name)]
public sealed class BertFolderCommandTests : IDisposable
{
    private const string Ids = "2 9 5 8 4 3", Types = "0 0 0 1 1 1";

    private const string PoolerWeight = "bert.pooler.dense.weight", PoolerBias = "bert.pooler.dense.bias";

    private readonly TinyTask _task = new();
    private readonly ParameterSet _parameters = Sample.Parameters(TinyTask.Bert);

    public void Dispose()
    {
        _parameters.Dispose();
        _task.Dispose();
    }

    [Fact]
    public void GenerateRefusesAMaskedModel()
    {
        string folder = Folder(vocabularyOnly: false);
        CommandLine.Fail(
            ["generate", folder, "--prompt", "the good film"],
            $"{folder} is a masked language model, which does not guess what comes next.", "HINT: ", "GPT");
    }

    /// <summary>The probabilities are those of the scores that `logits` prints of the same tokens.</summary>
    [Fact]
    public void FillMaskGivesTheLikeliestTokens()
    {
        const string Text = "the good [MASK] film [MASK]";
        string folder = Folder(vocabularyOnly: false);
        EncodedText encoded = _task.WordPiece.EncodeAsHuggingFace(Text);
        string[] scores = CommandLine.Succeed(["logits", folder, "--ids", string.Join(' ', encoded.Ids)]).TrimEnd('\n').Split('\n');
        int[] places = [.. Enumerable.Range(0, encoded.Ids.Length).Where(i => encoded.Ids[i] == _task.WordPiece.Mask)];
        Assert.Equal(2, places.Length);

        string[] lines = CommandLine.Succeed(["fill-mask", folder, Text, "--top-k", "3", "--json"]).TrimEnd('\n').Split('\n');
        Assert.Equal(lines, CommandLine.Succeed(["fill-mask", folder, "--top-k", "3", "--json"], Text + "\n").TrimEnd('\n').Split('\n'));
        Assert.Equal(2, lines.Length);
        for (int i = 0; i < 2; i++)
        {
            JsonElement place = JsonDocument.Parse(lines[i]).RootElement;
            Assert.Equal(places[i], place.GetProperty("position").GetInt32());
            double[] logits = JsonSerializer.Deserialize<double[]>(scores[places[i]])!;
            double sum = logits.Sum(Math.Exp);
            (int Token, double Score)[] expected = [.. logits.Select((logit, token) => (token, Math.Exp(logit) / sum)).OrderByDescending(guess => guess.Item2).Take(3)];
            JsonElement[] guesses = [.. place.GetProperty("guesses").EnumerateArray()];
            Assert.Equal(expected.Select(guess => guess.Token), guesses.Select(guess => guess.GetProperty("token").GetInt32()));
            Assert.Equal(expected.Select(guess => _task.WordPiece.TokenOf(guess.Token)), guesses.Select(guess => guess.GetProperty("token_str").GetString()));
            Assert.All(expected.Zip(guesses), pair => Assert.Equal(pair.First.Score, pair.Second.GetProperty("score").GetDouble(), 5));
        }

        CommandLine.Fail(["fill-mask", folder, "no mask"], "There is no [MASK] in 'no mask'");
        CommandLine.Fail(["fill-mask", folder, Text, "--top-k", "0"], "--top-k must be at least 1");
    }

    /// <summary>As BERT is published: with a pooler, and a next-sentence head that is of no use.</summary>
    [Theory]
    [InlineData("bert.")]
    [InlineData("")]
    public void ImportBringsConfigurationTensorsAndTokenizer(string prefix)
    {
        string source = Folder(vocabularyOnly: false, prefix), imported = _task.Folder.File("imported");
        string said = CommandLine.Run(["import", source, "--out", imported]).Error;
        Assert.Contains("left out cls.seq_relationship.weight", said, StringComparison.Ordinal);
        Assert.Contains("2 layers", said, StringComparison.Ordinal);
        Assert.Equal(TinyTask.Bert, ModelFolder.ReadConfig(imported));
        Assert.Equal(_task.WordPiece.Fingerprint, Tokenizer.Load(imported).Fingerprint);
        Assert.Equal(
            ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"],
            Directory.EnumerateFiles(imported).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        using (JsonDocument config = JsonDocument.Parse(File.ReadAllText(Path.Combine(imported, "tokenizer_config.json"))))
        {
            // Else transformers would have its class for BERT, which lowers text whatever tokenizer.json says.
            JsonElement settings = config.RootElement;
            Assert.Equal("PreTrainedTokenizerFast", settings.GetProperty("tokenizer_class").GetString());
            Assert.Equal("token_type_ids", settings.GetProperty("model_input_names")[1].GetString());
            Assert.Equal(
                ["[CLS]", "[MASK]", "[PAD]", "[SEP]", "[UNK]"],
                new[] { "cls", "mask", "pad", "sep", "unk" }.Select(name => settings.GetProperty($"{name}_token").GetString()));
        }

        using (SafetensorsFile weights = SafetensorsFile.Open(Path.Combine(imported, ModelFolder.WeightsFile)))
        {
            IEnumerable<string> names = _parameters.Select(parameter => parameter.Name);
            Assert.Equal(names.Concat([PoolerWeight, PoolerBias]).Order(), weights.Names.Order());
        }

        using ParameterSet read = ModelFolder.ReadParameters(imported, TinyTask.Bert, Device.Cpu);
        Assert.Equal(_parameters.Count, read.Count);
        Assert.All(_parameters.Zip(read), pair => Near.Identical(pair.First.Value, pair.Second.Value, pair.First.Name));
        Near.Identical(Sample.Normal(9, 16, 16), ModelFolder.ReadExtras(imported, TinyTask.Bert, Device.Cpu)[PoolerWeight]);
        string logits = Run("logits", source, "--ids", Ids, "--types", Types, "--precision", "f32");
        Assert.Equal(logits, Run("logits", imported, "--ids", Ids, "--types", Types, "--precision", "f32"));
        Near.Equal(Near.Values(Expected()), [.. logits.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .SelectMany(line => JsonSerializer.Deserialize<double[]>(line)!)], 1e-6);
    }

    /// <summary>"Góod" is in the vocabulary as "good", so that it is known or not as the configuration says.</summary>
    [Theory]
    [InlineData(null, new[] { 8, 5, 5 })]
    [InlineData("""{"do_lower_case": true, "strip_accents": null}""", new[] { 8, 5, 5 })]
    [InlineData("""{"do_lower_case": false}""", new[] { 8, 1, 1 })]
    [InlineData("""{"do_lower_case": true, "strip_accents": false}""", new[] { 8, 5, 1 })]
    public void AFolderWithAVocabularyAndNoTokenizerJson(string? config, int[] ids)
    {
        const string Words = "film Good Góod";
        string folder = Folder(vocabularyOnly: true, config: config), vocabulary = Path.Combine(folder, "vocab.txt");
        string line = string.Join(' ', ids.Select(id => id.ToString(CultureInfo.InvariantCulture)));
        foreach (string tokenizer in new[] { folder, vocabulary })
        {
            Assert.Equal(line + "\n", Run("tokenizer", "encode", "--tokenizer", tokenizer, Words));
            Assert.Equal($"2 {line} 3\n", Run("tokenizer", "encode", "--tokenizer", tokenizer, "--special", Words));
            Assert.Equal("film good", Run("tokenizer", "decode", "--tokenizer", tokenizer, "--skip-special", "2", "8", "5"));
        }

        // A copy that says in a tokenizer.json what the vocabulary leaves to be known does the same in all verbs.
        string imported = _task.Folder.File("imported"), exported = _task.Folder.File("exported");
        Run("import", folder, "--out", imported);
        Run("export", folder, "--out", exported);
        string text = _task.Folder.Write(
            "text/a.txt", string.Concat(Enumerable.Repeat("The Góod film is a very bad one and so long ", 20)));
        _task.Folder.Write("text/b.txt", "The film is Good.\n");
        string[] prepare = ["data", "prepare", Path.GetDirectoryName(text)!, "--holdout", "a.txt", "--tokenizer"];
        string measured = Run("eval", folder, "--data", text, "--json");
        string tuned = Run("finetune", folder, "--task", _task.Folder.File("task.yaml"), "training.epochs=1", "--json");
        Run([.. prepare, vocabulary, "--out", _task.Folder.File("data")]);
        foreach (string copy in new[] { imported, exported })
        {
            Assert.Equal(Tokenizer.Load(folder).Fingerprint, Tokenizer.Load(copy).Fingerprint);
            Assert.Equal(line + "\n", Run("tokenizer", "encode", "--tokenizer", copy, Words));
            Assert.Equal(Run("logits", folder, "--ids", Ids), Run("logits", copy, "--ids", Ids));
            Assert.Equal(measured, Run("eval", copy, "--data", text, "--json"));
            Assert.Equal(measured, Run("eval", copy, "--data", _task.Folder.File("data"), "--json"));
            Assert.Equal(
                Scores(tuned),
                Scores(Run("finetune", copy, "--task", _task.Folder.File("task.yaml"), "training.epochs=1", "--json")));
            Run([.. prepare, copy, "--out", _task.Folder.File("data")]);
        }

        static string Scores(string json) => JsonDocument.Parse(json).RootElement.GetProperty("metrics").GetRawText();
    }

    /// <summary>Ideographs are words each, unless the configuration says otherwise.</summary>
    [Theory]
    [InlineData(null, "8 1 5")]
    [InlineData("""{"tokenize_chinese_chars": true, "do_basic_tokenize": true}""", "8 1 5")]
    [InlineData("""{"tokenize_chinese_chars": false}""", "1")]
    public void IdeographsOfAVocabularyWithAConfiguration(string? config, string ids) =>
        Assert.Equal(
            ids + "\n",
            Run("tokenizer", "encode", "--tokenizer", Folder(vocabularyOnly: true, config: config), "film\u4e2dgood"));

    [Fact]
    public void ABadVocabularyIsNamedByEveryVerb()
    {
        string folder = Folder(vocabularyOnly: true), vocabulary = Path.Combine(folder, "vocab.txt");
        string text = _task.Folder.Write("text.txt", "the film"), output = _task.Folder.File("out");
        string sound = File.ReadAllText(vocabulary);
        FailAll("[SEP]\n", "[SIP]\n", $"{vocabulary} is not a usable vocabulary of BERT: The vocabulary has no [SEP]");
        FailAll("good\n", "bad\n", "\"bad\" is in the vocabulary twice, as 5 and as 6");
        FailAll("good\n", "good\nbetter\n", "the tokenizer has 17 tokens, but the model only 16", model: true);
        File.WriteAllText(vocabulary, sound);
        _task.Folder.Write("bert/tokenizer_config.json", """{"do_lower_case": "yes"}""");
        Fail(["tokenizer", "encode", "a"], "tokenizer_config.json: \"do_lower_case\" is neither true nor false");
        _task.Folder.Write("bert/tokenizer_config.json", """{"do_basic_tokenize": false}""");
        Fail(["tokenizer", "encode", "a"], "tokenizer_config.json: \"do_basic_tokenize\": false is not supported");

        void FailAll(string what, string instead, string says, bool model = false)
        {
            File.WriteAllText(vocabulary, sound.Replace(what, instead, StringComparison.Ordinal));
            string[][] ofModel =
            [
                ["eval", folder, "--data", text], ["finetune", folder, "--task", _task.Folder.File("task.yaml")],
                ["import", folder, "--out", output], ["export", folder, "--out", output], ["generate", folder],
            ];
            string[][] ofTokenizer =
            [
                ["tokenizer", "encode", "a"], ["tokenizer", "decode", "1"], ["data", "prepare", text, "--out", output],
            ];
            Assert.All(ofModel, command => CommandLine.Fail(command, says));
            Assert.All(model ? [] : ofTokenizer, command => Fail(command, says));
            Run("logits", folder, "--ids", Ids);
            Assert.False(Directory.Exists(output));
        }

        void Fail(string[] command, string says) => CommandLine.Fail([.. command, "--tokenizer", folder], says);
    }

    private static string Run(params string[] command) => CommandLine.Succeed(command);

    /// <summary>Writes the model as others publish it.</summary>
    private string Folder(bool vocabularyOnly, string prefix = "bert.", string? config = null)
    {
        HuggingFaceFolder stored = HuggingFaceFolder.Of(TinyTask.Bert, _parameters);
        stored.Tensors.Add(PoolerWeight, Sample.Normal(9, 16, 16));
        stored.Tensors.Add(PoolerBias, Sample.Normal(8, 16));
        stored.Tensors.Add("cls.seq_relationship.weight", Sample.Normal(7, 2, 16));
        stored.Tensors.Add("cls.seq_relationship.bias", Sample.Normal(6, 2));
        stored.Rename(name => name.Replace("bert.", prefix, StringComparison.Ordinal));
        string folder = stored.Write(_task.Folder, "bert"), tokenizer = Path.Combine(folder, ModelFolder.TokenizerFile);
        if (vocabularyOnly)
        {
            File.Delete(tokenizer);
            File.Copy(_task.Folder.File("vocab.txt"), Path.Combine(folder, "vocab.txt"));
        }
        else
        {
            _task.WordPiece.Save(tokenizer);
        }

        if (config is not null)
        {
            File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), config);
        }

        return folder;
    }

    /// <summary>Shape (1, T, V).</summary>
    private Tensor Expected()
    {
        return ForwardPass.Logits(
            Model.Of(TinyTask.Bert, _parameters), new ModelInput(Of(Ids), Of(Types)), ForwardPlan.Plain(TinyTask.Bert.Layers));

        static Tensor Of(string numbers)
        {
            long[] values = [.. numbers.Split(' ').Select(number => long.Parse(number, CultureInfo.InvariantCulture))];
            return Tensor.From<long>(values, [1, values.Length]);
        }
    }
}
