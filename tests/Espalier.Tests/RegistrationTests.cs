using Espalier.Data;
using Espalier.Growth;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Tests.Data;
using Espalier.Tests.Growth;
using Espalier.Training;

namespace Espalier.Tests;

/// <summary>
/// What a program is told that registers something of its own the wrong way. That the right way works, docs/library.md shows: its
/// examples run in processes of their own, for what is registered stays.
/// </summary>
public sealed class RegistrationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ANameIsGivenOnce()
    {
        Refuses("'scratch' is ScratchConfig already", () => MethodConfig.Register<OtherScratchConfig>("scratch"));
        Refuses("there is an operator 'stack' already", () => GrowthOperators.Register(new OperatorEntry(
            "stack", GrownSizes.Depth, "this test", (_, to) => new CopyLayers(to.Layers, LayerMapKind.Stack))));
        Refuses("'gpt2' is Gpt2Config already", () => ModelConfig.Register<OtherGpt2Config>("gpt2"));
        Refuses("'bert' has a format already", () => HuggingFaceFormat.Register("bert", new EmptyFormat()));
        Assert.IsType<ScratchConfig>(Parse(TinyRecipe("method: {name: scratch}")).Method);
    }

    [Fact]
    public void TheSameOnceMoreIsNoMistake()
    {
        MethodConfig.Register<ScratchConfig>("scratch");
        ModelConfig.Register<Gpt2Config>("gpt2");
        Assert.Single(GrowthOperators.All, entry => entry.Name == "stack");
    }

    [Fact]
    public void ARecordSaysItsNameItself()
    {
        Refuses("'mine' is not what ScratchConfig says of itself: its `name` is 'scratch'", () => MethodConfig.Register<ScratchConfig>("mine"));
        Refuses("'mine' is not what LlamaConfig says of itself: its `model_type` is 'llama'", () => ModelConfig.Register<LlamaConfig>("mine"));
        Refuses("RotaryConfig is abstract", () => ModelConfig.Register<RotaryConfig>("rotary"));
    }

    [Fact]
    public void WhatNobodyRegisteredIsNamedWithWhatThereIs()
    {
        UserErrorException method = Assert.Throws<UserErrorException>(() => Parse(TinyRecipe("method: {name: mine}")));
        Assert.Contains("`mine` is not one of scratch, apollo,", method.Message, StringComparison.Ordinal);
        UserErrorException model = Assert.Throws<UserErrorException>(
            () => Parse(TinyRecipe("method: {name: scratch}").Replace("{n_layer", "{model_type: mine, n_layer", StringComparison.Ordinal)));
        Assert.Contains("`mine` is not one of gpt2, bert, llama, qwen3", model.Message, StringComparison.Ordinal);
        string config = _folder.Write("config.json", """{"model_type": "mine"}""");
        UserErrorException folder = Assert.Throws<UserErrorException>(() => ModelFolder.ReadConfig(_folder.Path));
        Assert.Equal(($"{config}: model_type is 'mine'.", "Espalier reads gpt2, bert, llama, qwen3."), (folder.Message, folder.Hint));
        Assert.Contains("'mine'", Assert.Throws<UserErrorException>(() => GrowthOperators.Of("mine")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void DataOfOnesOwnHasIdsOfItsVocabularyAndAFolderOfItsOwn()
    {
        string data = _folder.File("data");
        Assert.Contains("257", Wrong([1, 257], [1]).Message, StringComparison.Ordinal);
        Assert.Contains("-1", Wrong([1], [-1]).Message, StringComparison.Ordinal);
        Assert.Contains("no ids", Wrong([], [1]).Message, StringComparison.Ordinal);
        Assert.Contains("no ids", Wrong([1], []).Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));

        _folder.Write("data/notes.txt", "mine");
        Assert.Contains("not empty", Wrong([1], [1]).Message, StringComparison.Ordinal);
        Assert.Equal(["notes.txt"], Directory.EnumerateFileSystemEntries(data).Select(Path.GetFileName));

        UserErrorException Wrong(int[] train, int[] valid) =>
            Assert.Throws<UserErrorException>(() => Dataset.Write(data, ByteLevelBpe.RawBytes, train, valid));
    }

    private static void Refuses(string why, Action register) =>
        Assert.StartsWith(why, Assert.Throws<ArgumentException>(register).Message, StringComparison.Ordinal);

    private static Recipe Parse(string yaml) => RecipeReader.Parse(yaml, "mine.yaml");

    private static string TinyRecipe(string method) =>
        $$"""
        model: {n_layer: 2, n_embd: 32, n_head: 2, n_positions: 32}
        data: {path: data}
        training: {length: 20 steps, micro_batch: 4}
        optimizer: {name: adamw}
        learning_rate: {peak: 3e-3}
        {{method}}
        """;

    private sealed record OtherScratchConfig : MethodConfig
    {
        public override string Name => "scratch";

        public override IProgressiveMethod Create(RunShape run) => new ScratchConfig().Create(run);
    }

    private sealed record OtherGpt2Config : ModelConfig
    {
        public override string ModelType => "gpt2";

        public override IArchitecture Architecture => GrowthSample.Gpt2(1).Architecture;

        public override int Layers { get; init; }

        public override int HiddenSize { get; init; }

        public override int Heads { get; init; }

        public override int ContextLength { get; init; }

        public override int? FfnSize { get; init; }

        public override int? VocabularySize { get; init; }

        public override double LayerNormEpsilon { get; init; }

        public override double InitializerRange { get; init; }

        public override bool TiedHead { get; init; }

        public override ModelConfig WithDropout(double probability) => this;
    }

    private sealed class EmptyFormat : HuggingFaceFormat
    {
        public override System.Text.Json.Nodes.JsonObject Write(ModelConfig model, Tokenizer tokenizer) => [];

        public override ModelConfig Read(ConfigReader json) => GrowthSample.Gpt2(1);
    }
}
