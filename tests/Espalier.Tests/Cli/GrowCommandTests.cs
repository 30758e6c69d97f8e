using System.Text.Json.Nodes;
using Espalier.Data;
using Espalier.Growth;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Tests.Finetuning;
using Espalier.Tests.Interop;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Tests.Cli;

/// <summary>grow, from folders of both architectures.</summary>
[Collection(ConsoleCollection.Name)]
public sealed class GrowCommandTests : IDisposable
{
    private const string Pooler = "bert.pooler.dense.weight", PoolerBias = "bert.pooler.dense.bias";

    private readonly TinyTask _task = new();

    public void Dispose() => _task.Dispose();

    [Theory]
    [InlineData("gpt2", "n_embd=64", "n_embd 32 -> 64, n_head 2 -> 4, n_inner 128 -> 256")]
    [InlineData("bert", "hidden_size=32, num_attention_heads=4", "hidden_size 16 -> 32")]
    public void TwiceTheWidthComputesTheSame(string type, string sizes, string says)
    {
        string folder = Folder(type), grown = File("grown"), text = Text();
        string[] command = ["grow", folder, "--operator", "double-width", "--to", sizes, "--data", text, "--device", "cpu"];
        string said = CommandLine.Succeed([.. command, "--out", grown]);
        Assert.Contains(says, said, StringComparison.Ordinal);
        Assert.Contains("exactly; held, within 0.0001", said, StringComparison.Ordinal);

        JsonNode receipt = JsonNode.Parse(CommandLine.Succeed([.. command, "--out", File("again"), "--json"]))!;
        JsonNode parity = receipt["parity"]!;
        Assert.Equal("exactly", (string?)receipt["promise"]);
        Assert.True((bool)parity["promise_held"]!);
        Assert.InRange((double)parity["largest_difference"]!, 0, 1e-4 * (double)parity["largest_logit"]!);
        Assert.Equal((double)parity["before"]!["loss"]!, (double)parity["after"]!["loss"]!, 1e-5);
        Assert.True((double)parity["before"]!["gradient_norm"]! > 0);

        // What the receipt says of the loss is what eval says of both folders.
        foreach ((string model, string at) in new[] { (folder, "before"), (grown, "after") })
        {
            JsonNode measured = JsonNode.Parse(CommandLine.Succeed(["eval", model, "--data", text, "--precision", "f32", "--device", "cpu", "--json"]))!;
            Assert.Equal((double)measured["loss"]!, (double)parity[at]!["loss"]!, 1e-5);
        }
    }

    [Theory]
    [InlineData("gpt2", "n_layer", "stack", new[] { 0, 1, 0, 1 })]
    [InlineData("bert", "num_hidden_layers", "interpolate", new[] { 0, 0, 1, 1 })]
    public void TwiceTheDepthIsMadeOfTheLayersThatThereWere(string type, string key, string name, int[] layers)
    {
        string folder = Folder(type), grown = File("grown");
        JsonNode receipt = JsonNode.Parse(CommandLine.Succeed(
            ["grow", folder, "--operator", name, "--to", $"{key}=4", "--data", Text(), "--out", grown, "--json"]))!;
        Assert.Equal("not", (string?)receipt["promise"]);
        Assert.Null(receipt["parity"]!["promise_held"]);
        Assert.NotEqual((double)receipt["parity"]!["before"]!["loss"]!, (double)receipt["parity"]!["after"]!["loss"]!);
        Assert.Equal([2, 4], new[] { receipt["from"]!, receipt["to"]! }.Select(sizes => (int)sizes[key]!));

        ModelConfig before = ModelFolder.ReadConfig(folder), after = ModelFolder.ReadConfig(grown);
        Assert.Equal(before with { Layers = 4 }, after);
        using ParameterSet old = ModelFolder.ReadParameters(folder, before, Device.Cpu);
        using ParameterSet made = ModelFolder.ReadParameters(grown, after, Device.Cpu);
        Assert.Equal((long)receipt["parameters_after"]!, made.ElementCount);
        Assert.All(made, parameter => Near.Identical(
            parameter.Spec.Layer is int layer ? old[layers[layer], parameter.Spec.Role] : old[parameter.Spec.Role],
            parameter.Value, parameter.Name));
    }

    /// <summary>What learns needs a text, and says so before anything is written.</summary>
    [Theory]
    [InlineData("gpt2", "n_layer=3,n_embd=48")]
    [InlineData("bert", "num_hidden_layers=3,hidden_size=24")]
    public void AMapIsLearnedOnTheText(string type, string sizes)
    {
        string[] command = ["grow", Folder(type), "--operator", "ligo", "--to", sizes, "--device", "cpu"];
        CommandLine.Fail([.. command, "--out", File("none")], "looks at text, and none was given", "--data PATH");
        Assert.False(Directory.Exists(File("none")));
        string[] receipts = [.. new[] { "a", "b" }.Select(name => CommandLine.Succeed([.. command, "--data", Text(), "--out", File(name), "--json"]))];
        Assert.Equal(receipts[0], receipts[1]);
        Assert.Null(JsonNode.Parse(receipts[0])!["parity"]!["promise_held"]);
        Assert.Equal(
            System.IO.File.ReadAllBytes(Path.Combine(File("a"), ModelFolder.WeightsFile)),
            System.IO.File.ReadAllBytes(Path.Combine(File("b"), ModelFolder.WeightsFile)));
    }

    [Fact]
    public void WithoutTextNothingIsMeasured()
    {
        string[] command = ["grow", Folder("gpt2"), "--operator", "double-width", "--to", "n_embd=64", "--out"];
        Assert.Contains("Nothing was measured", CommandLine.Succeed([.. command, File("a")]), StringComparison.Ordinal);
        Assert.Null(JsonNode.Parse(CommandLine.Succeed([.. command, File("b"), "--json"]))!["parity"]);
    }

    /// <summary>BERT's pooler is as wide as the model: it goes with more layers, and not with wider ones.</summary>
    [Fact]
    public void WhatDoesNotFitIsLeftOutAndNamed()
    {
        string folder = Folder("bert");
        CommandLine deep = CommandLine.Run(["grow", folder, "--operator", "stack", "--to", "num_hidden_layers=3", "--out", File("deep")]);
        CommandLine wide = CommandLine.Run(["grow", folder, "--operator", "double-width", "--to", "hidden_size=32", "--out", File("wide")]);
        Assert.DoesNotContain(Pooler, deep.Error, StringComparison.Ordinal);
        Assert.Contains($"left out {Pooler}", wide.Error, StringComparison.Ordinal);
        Assert.Contains(Pooler, Names("deep"));
        Assert.DoesNotContain(Pooler, Names("wide"));
    }

    [Fact]
    public void ACheckpointGrowsByWhatItStoresWithoutItsOptimizersState()
    {
        ModelConfig model = Sample.Model(2) with { VocabularySize = ByteLevelBpe.RawBytes.VocabularySize };
        string checkpoint = File("checkpoint");
        using (TrainingState state = Espalier.Tests.Growth.GrowthSample.State(model))
        {
            Checkpoint.Write(checkpoint, state, ForwardPlan.Of([0, 0, 1]), ByteLevelBpe.RawBytes);
        }

        string[] before = Files(checkpoint);
        CommandLine grown = CommandLine.Run(["grow", checkpoint, "--operator", "stack", "--to", "n_layer=4", "--out", File("grown"), "--json"]);
        Assert.Equal(0, grown.ExitCode);
        Assert.Contains("still grows to 3 layers; the 2 that it stores were grown", grown.Error, StringComparison.Ordinal);
        Assert.Contains("left out optimizer state", grown.Error, StringComparison.Ordinal);
        Assert.Equal(["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"], Files(File("grown")));
        Assert.Equal(before, Files(checkpoint));
    }

    [Theory]
    [InlineData("n_layers=4", "a gpt2 has no n_layers", "Did you mean n_layer?")]
    [InlineData("num_hidden_layers=4", "a gpt2 has no num_hidden_layers", "Did you mean n_layer?")]
    [InlineData("n_positions=128", "n_positions is no size that grows", "n_layer, n_embd, n_head, n_inner")]
    [InlineData("n_layer=1", "n_layer=1 is less than the model's 2", "none of its sizes can shrink")]
    [InlineData("n_layer=2", "has these sizes already", "")]
    [InlineData("n_layer=4,n_layer=5", "names n_layer twice", "")]
    [InlineData("n_layer=many", "n_layer=many is no whole number", "")]
    [InlineData("n_layer=1025", "no whole number from 1 to 1024", "")]
    [InlineData("deeper", "'deeper' is no size", "n_layer=4")]
    [InlineData("", "`--to ''` is empty", "espalier grow --help")]
    [InlineData(" ", "'' is no size", "n_layer=4")]
    [InlineData("n_embd=64,n_head=3", "n_head 3 does not divide n_embd 64", "n_head")]
    [InlineData("n_embd=40", "heads of the size 16, as the model has them, do not divide it", "Name n_head as well")]
    [InlineData("n_layer=4", "double-width makes of this model n_layer=2, not 4", "interpolate, stack")]
    [InlineData("n_embd=96", "n_embd=64, not 96", "HINT: ")]
    [InlineData("n_layer=4,n_embd=64", "n_layer=2, not 4", "HINT: ")]
    public void ImpossibleSizesAreTold(string sizes, string says, string hint)
    {
        string[] command = ["grow", Folder("gpt2"), "--operator", "double-width", "--to", sizes, "--out", File("out")];
        CommandLine.Fail(command, says, hint);
        Assert.False(Directory.Exists(File("out")));
    }

    [Fact]
    public void AListOfOnesOwnTellsTheLayers()
    {
        string folder = Folder("gpt2"), grown = File("grown");
        JsonNode receipt = JsonNode.Parse(CommandLine.Succeed(["grow", folder, "--layers", "1, 0,1", "--out", grown, "--json"]))!;
        Assert.Equal("copy-layers", (string?)receipt["operator"]);
        ModelConfig before = ModelFolder.ReadConfig(folder), after = ModelFolder.ReadConfig(grown);
        Assert.Equal(before with { Layers = 3 }, after);
        using ParameterSet old = ModelFolder.ReadParameters(folder, before, Device.Cpu);
        using ParameterSet made = ModelFolder.ReadParameters(grown, after, Device.Cpu);
        int[] layers = [1, 0, 1];
        Assert.All(made, parameter => Near.Identical(
            parameter.Spec.Layer is int layer ? old[layers[layer], parameter.Spec.Role] : old[parameter.Spec.Role],
            parameter.Value, parameter.Name));

        string[] command = ["grow", folder, "--out", File("out"), "--layers"];
        CommandLine.Fail([.. command, "0,1,2"], "no layer 2 among the model's 2", "from 0 to 1");
        CommandLine.Fail([.. command, "0,1"], "2 layers are no more than the model's 2");
        CommandLine.Fail([.. command, "0,,1"], "'' is no layer", "0,0,1,1");
        CommandLine.Fail([.. command, "0,0,1", "--operator", "stack"], "--layers stands in place of --operator");
        CommandLine.Fail([.. command, "0,0,1", "--to", "n_layer=3"], "--layers stands in place of --to");
        CommandLine.Fail([.. command, "0,0,1", "--noise", "3"], "copy-layers takes no --noise", "hyper-cloning");
        Assert.False(Directory.Exists(File("out")));
    }

    /// <summary>An unfinished round of hidden units, whose norms have a smaller epsilon: the folder says so, and computes the same.</summary>
    [Fact]
    public void LemonIsLosslessAtAnyWidth()
    {
        string folder = Folder("gpt2"), grown = File("grown");
        string said = CommandLine.Succeed(
            ["grow", folder, "--operator", "lemon", "--to", "n_embd=48", "--data", Text(), "--device", "cpu", "--out", grown]);
        Assert.Contains("exactly; held", said, StringComparison.Ordinal);
        Assert.Equal(
            ModelFolder.ReadConfig(folder).LayerNormEpsilon * 2 / 3, ModelFolder.ReadConfig(grown).LayerNormEpsilon, 1e-12);
    }

    /// <summary>The same seed, the same weights; another, others. Operators that draw nothing take none.</summary>
    [Theory]
    [InlineData("fresh-layers-between", "n_layer=4")]
    [InlineData("composable", "n_layer=3,n_inner=200")]
    [InlineData("lemon", "n_inner=200")]
    [InlineData("net2net-random", "n_inner=200")]
    [InlineData("zero-pad-width", "n_embd=64")]
    [InlineData("hyper-cloning", "n_embd=64", "--noise", "20")]
    public void WhatIsDrawnFollowsFromTheSeed(string name, string sizes, params string[] more)
    {
        string folder = Folder("gpt2");
        byte[] Grown(string output, params string[] seed)
        {
            CommandLine.Succeed(["grow", folder, "--operator", name, "--to", sizes, "--out", File(output), .. more, .. seed]);
            return System.IO.File.ReadAllBytes(Path.Combine(File(output), ModelFolder.WeightsFile));
        }

        byte[] one = Grown("one", "--seed", "5");
        Assert.True(one.SequenceEqual(Grown("again", "--seed", "5")));
        Assert.False(one.SequenceEqual(Grown("other", "--seed", "6")));
        Assert.True(Grown("default").SequenceEqual(Grown("default-again")));
    }

    [Fact]
    public void OtherMistakesAreToldAndNothingIsWritten()
    {
        string folder = Folder("gpt2"), output = File("out");
        string[] sound = ["grow", folder, "--operator", "stack", "--to", "n_layer=4", "--out", output];
        CommandLine.Fail(["grow"], "lacks CHECKPOINT", "--list");
        CommandLine.Fail(["grow", folder], "lacks --operator NAME", "--list");
        CommandLine.Fail(sound[..4], "lacks --to KEY=N");
        CommandLine.Fail(sound[..6], "lacks --out DIR");
        CommandLine.Fail([.. sound[..3], "stak", .. sound[4..]], "no growth operator 'stak'", "Did you mean stack?");
        CommandLine.Fail([.. sound[..3], "magic", .. sound[4..]], "no growth operator 'magic'", "There are interpolate, ");
        CommandLine.Fail([.. sound[..7], folder], "is not empty");
        CommandLine.Fail([.. sound, "--seed", "3"], "stack takes no --seed", "net2net-random");
        CommandLine.Fail([.. sound, "--noise", "20"], "stack takes no --noise", "hyper-cloning");
        CommandLine.Fail(
            [.. sound[..3], "midas", "--to", "n_layer=5", .. sound[6..]], "5 layers are more than twice the model's 2", "Grow to 4 at most");
        CommandLine.Fail(
            [.. sound[..3], "composable", "--to", "n_embd=64", .. sound[6..]], "would change the mean that its layer norms take");
        CommandLine.Fail(["grow", File("none"), .. sound[2..]], "none is no model");
        CommandLine.Fail([.. sound, "--data", File("none.txt")], "none.txt");
        CommandLine.Fail([.. sound, "--device", "abacus"], "--device");
        Assert.False(Directory.Exists(output));

        // An odd feed-forward width does not grow in the ratio of the hidden size.
        ModelConfig odd = TinyTask.Gpt2 with { FfnSize = 33 };
        CommandLine.Fail(
            ["grow", Folder(odd), "--operator", "double-width", "--to", "n_embd=48", "--out", output],
            "the feed-forward layer's 33 cannot change in the same ratio", "Name n_inner as well");
    }

    [Fact]
    public void TheListTellsAllOperators()
    {
        string list = CommandLine.Succeed(["grow", "--list"]);
        JsonArray json = JsonNode.Parse(CommandLine.Succeed(["grow", "--list", "--json"]))!.AsArray();
        string docs = System.IO.File.ReadAllText(Path.Combine(RepositoryRoot.Find(), "docs", "methods.md"));
        Assert.Equal(GrowthOperators.All.Count, json.Count);
        Assert.All(GrowthOperators.All, entry =>
        {
            Assert.Contains(entry.Name, list, StringComparison.Ordinal);
            Assert.Contains(entry.Source, list, StringComparison.Ordinal);
            Assert.Contains($"| `{entry.Name}` |", docs, StringComparison.Ordinal);
        });
        JsonNode wide = json.Single(entry => (string?)entry!["name"] == "double-width")!;
        Assert.Equal("""{"gpt2":"exactly","bert":"exactly","llama":"exactly"}""", wide["keeps"]!.ToJsonString());
        Assert.Equal("width", (string?)wide["grows"]);
    }

    private string File(string name) => _task.Folder.File(name);

    private string Text() => _task.Folder.Write("text.txt", string.Concat(Enumerable.Repeat("the film is a very good one and so long bad ", 9)));

    private string Folder(string type) => Folder(type == "bert" ? TinyTask.Bert : TinyTask.Gpt2);

    private string Folder(ModelConfig model)
    {
        using ParameterSet parameters = Sample.Parameters(model);
        HuggingFaceFolder stored = HuggingFaceFolder.Of(model, parameters);
        if (model is BertConfig)
        {
            stored.Tensors.Add(Pooler, Sample.Normal(9, 16, 16));
            stored.Tensors.Add(PoolerBias, Sample.Normal(8, 16));
        }

        string folder = stored.Write(_task.Folder);
        if (model is BertConfig)
        {
            _task.WordPiece.Save(Path.Combine(folder, ModelFolder.TokenizerFile));
        }

        return folder;
    }

    private HashSet<string> Names(string folder)
    {
        using SafetensorsFile weights = SafetensorsFile.Open(Path.Combine(File(folder), ModelFolder.WeightsFile));
        return [.. weights.Names];
    }

    private static string[] Files(string folder) =>
        [.. Directory.EnumerateFiles(folder).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
}
