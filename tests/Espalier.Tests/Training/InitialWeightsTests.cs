using System.Text.Json.Nodes;
using Espalier.Configuration;
using Espalier.Data;
using Espalier.Growth;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Reporting;
using Espalier.Tests.Data;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Tests.Training;

/// <summary>A recipe's `from`: a run begins with the weights of another model.</summary>
public sealed class InitialWeightsTests : IClassFixture<InitialWeightsTests.Trained>, IDisposable
{
    private readonly Trained _trained;
    private readonly TemporaryFolder _folder = new(inMemory: true);

    public InitialWeightsTests(Trained trained) => _trained = trained;

    public void Dispose() => _folder.Dispose();

    /// <summary>A run of 8 steps with 4 layers, its checkpoints at 4 and 8, and its model exported.</summary>
    public sealed class Trained : IDisposable
    {
        private readonly TemporaryFolder _folder = new(inMemory: true);

        public Trained()
        {
            Assert.True(TrainingRun.Run(Scratch(8) with { Checkpoint = new CheckpointConfig { Every = Duration.Steps(4) } }, Run).IsFinished);
            using LoadedModel loaded = LoadedModel.Load(Run, Device.Cpu);
            ModelExport.Copy(Model, loaded);
        }

        public string Run => _folder.File("run");

        public string Model => _folder.File("model");

        public string Checkpoint(int step) => TinyRun.Checkpoint(Run, step);

        public void Dispose() => _folder.Dispose();
    }

    private static Recipe Scratch(int steps) => (TinyRun.Recipe with
    {
        Training = TinyRun.Recipe.Training with { Length = Duration.Steps(steps) },
        Method = new ScratchConfig(),
    }).Resolve();

    [Theory]
    [InlineData("run", 8)]
    [InlineData("run@4", 4)]
    [InlineData("checkpoint", 4)]
    [InlineData("model", 8)]
    [InlineData("file", 8)]
    public void ARunBeginsWithTheWeightsAndNothingElse(string what, int step)
    {
        string from = what switch
        {
            "run" => _trained.Run,
            "run@4" => _trained.Run + "@4",
            "checkpoint" => _trained.Checkpoint(4),
            "model" => _trained.Model,
            _ => Path.Combine(_trained.Model, "model.safetensors"),
        };
        string run = _folder.File("run");
        Recipe recipe = Scratch(6) with { From = from };
        Assert.False(TinyRun.Go(run, recipe, stopAfter: 0));
        Assert.Equal(
            File.ReadAllBytes(Path.Combine(_trained.Checkpoint(step), "model.safetensors")),
            File.ReadAllBytes(Path.Combine(TinyRun.Checkpoint(run, 0), "model.safetensors")));
        JsonObject state = TinyRun.State(TinyRun.Checkpoint(run, 0));
        Assert.Equal(0, (int)state["tokens"]!);
        Assert.All(state["parameters"]!.AsObject(), parameter => Assert.Equal(0, (int)parameter.Value!["steps"]!));
        using SafetensorsFile moments = SafetensorsFile.Open(Path.Combine(TinyRun.Checkpoint(run, 0), "optimizer.safetensors"));
        Assert.All(moments.Names, name => Assert.All(moments.Bytes(name).ToArray(), part => Assert.Equal(0, part)));
    }

    [Fact]
    public void WhatTheWeightsHaveCostIsChargedWhereItIsKnown()
    {
        string random = _folder.File("random"), known = _folder.File("known"), unknown = _folder.File("unknown"), next = _folder.File("next");
        TrainingRun.Run(Scratch(6), random);
        TrainingRun.Run(Scratch(6) with { From = _trained.Run }, known);
        TrainingRun.Run(Scratch(6) with { From = _trained.Model }, unknown);
        TrainingRun.Run(Scratch(6) with { From = unknown }, next);

        MetricsRow past = RunMetrics.Load(_trained.Run).Rows[^1], alone = RunMetrics.Load(random).Rows[^1];
        MetricsRow charged = RunMetrics.Load(known).Rows[^1], free = RunMetrics.Load(unknown).Rows[^1];
        Assert.Equal(past.Flops + alone.Flops, charged.Flops);
        Assert.True(charged.Seconds > past.Seconds);
        Assert.Equal(alone.Flops, free.Flops);
        Assert.Equal(alone.Flops + alone.Flops, RunMetrics.Load(next).Rows[^1].Flops);
        Assert.True(charged.TrainLoss < alone.TrainLoss, "weights that were trained are no better than random ones");

        JsonNode initial = Initial(known);
        Assert.Equal(past.Flops.Total, (double)initial["flops"]!);
        Assert.True((bool)initial["cost_is_known"]!);
        Assert.Equal(Path.GetFullPath(_trained.Checkpoint(8)), (string)initial["path"]!);
        Assert.Equal((string)Initial(known)["weights"]!, (string)Initial(unknown)["weights"]!);
        Assert.NotEqual((string)Initial(known)["weights"]!, (string)Initial(next)["weights"]!);
        Assert.False((bool)Initial(unknown)["cost_is_known"]!);
        Assert.False((bool)Initial(next)["cost_is_known"]!);

        // What is not known is said wherever figures are compared.
        string[] warnings = [.. RunComparison.Of(RunMetrics.Load(random), [RunMetrics.Load(known), RunMetrics.Load(unknown)]).Warnings()];
        string warning = Assert.Single(warnings);
        Assert.Contains($"({Path.GetFileName(unknown)}) began with the weights of {Path.GetFullPath(_trained.Model)}, whose cost is not known", warning, StringComparison.Ordinal);
    }

    [Fact]
    public void AMethodGrowsThem()
    {
        string small = _folder.File("small"), run = _folder.File("run");
        Recipe recipe = Scratch(4);
        TrainingRun.Run(recipe with { Model = recipe.Model with { Layers = 1 } }, small);
        Recipe grown = TinyRun.Recipe with { From = small };
        Assert.False(TinyRun.Go(run, grown, stopAfter: 0));
        Assert.Equal(
            File.ReadAllBytes(Path.Combine(TinyRun.Checkpoint(small, 4), "model.safetensors")),
            File.ReadAllBytes(Path.Combine(TinyRun.Checkpoint(run, 0), "model.safetensors")));
        Assert.True(TinyRun.Go(run, grown));
        Assert.Equal(2, TinyRun.State(TinyRun.Checkpoint(run, TinyRun.Steps))["growths"]!.AsArray().Count);
    }

    [Fact]
    public void OnceThereIsACheckpointTheWeightsMayGo()
    {
        string source = _folder.File("source"), whole = _folder.File("whole"), run = _folder.File("run");
        TrainingRun.Run(Scratch(4), source);
        Recipe recipe = Scratch(TinyRun.Steps) with { From = source };
        TrainingRun.Run(recipe, whole);
        Assert.False(TinyRun.Go(run, recipe, stopAfter: 5));
        Directory.Delete(source, recursive: true);
        Assert.True(TrainingRun.Run(recipe, run).IsFinished);
        TinyRun.SameEnd(whole, run);
    }

    [Theory]
    [InlineData("model.n_embd=32", "model.n_embd: 16 in the weights, 32 in the recipe", "Write model.n_embd=16 model.n_inner=64 after the recipe.")]
    [InlineData("model.n_layer=8", "model.n_layer: 4 in the weights, 8 in the recipe", "Write model.n_layer=4 after the recipe.")]
    [InlineData("model.n_positions=8", "model.n_positions: 16 in the weights, 8 in the recipe", "Write model.n_positions=16 after the recipe.")]
    [InlineData("model.vocab_size=300", "model.vocab_size: 257 in the weights, 300 in the recipe", "Write model.vocab_size=257 after the recipe.")]
    [InlineData("model.layer_norm_epsilon=1e-6", "model.layer_norm_epsilon: 1e-05 in the weights, 1e-06 in the recipe", "Write model.layer_norm_epsilon=1e-05")]
    [InlineData("method={name: apollo, stages: [2, 4], boundaries: [50 %]}", "model.n_layer: 4 in the weights, 2 in the recipe's first stage (method.stages)", "Let method.stages begin with n_layer 4")]
    [InlineData("model={model_type: llama, num_hidden_layers: 4, hidden_size: 16, num_attention_heads: 2, max_position_embeddings: 16}", "is a gpt2, and the recipe's model.model_type is llama", "Take weights of that architecture")]
    [InlineData("from=nowhere", "nowhere", "Name a run")]
    public void WeightsThatDoNotFitAreRefusedAndNothingIsWritten(string change, string says, string hint)
    {
        string run = _folder.File("run");
        Recipe recipe = RecipeReader.Parse(RecipeWriter.Write(Scratch(6) with { From = _trained.Model }), "tiny.yaml", [change]);
        var exception = Assert.Throws<UserErrorException>(() => TrainingRun.Run(recipe, run));
        Assert.Contains(says, exception.Message, StringComparison.Ordinal);
        Assert.Contains(hint, exception.Hint, StringComparison.Ordinal);
        Assert.False(Directory.Exists(run));
    }

    [Fact]
    public void WeightsOfAnotherVocabularyAreRefused()
    {
        string model = _folder.File("model");
        foreach ((string name, string content) in TinyRun.Files(_trained.Model))
        {
            _folder.Write("model/" + name, Convert.FromHexString(content));
        }

        WordPiece.Create(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"], lowercase: true).Save(Path.Combine(model, "tokenizer.json"));
        var exception = Assert.Throws<UserErrorException>(() => TrainingRun.Run(Scratch(6) with { From = model }, _folder.File("run")));
        Assert.Contains($"the tokenizer of {model} is not that of the recipe's data", exception.Message, StringComparison.Ordinal);
        Assert.Contains($"--tokenizer {Path.Combine(model, "tokenizer.json")}", exception.Hint, StringComparison.Ordinal);

        // Without a tokenizer the number of tokens is all there is to go by.
        File.Delete(Path.Combine(model, "tokenizer.json"));
        TrainingRun.Run(Scratch(6) with { From = model }, _folder.File("run"));
    }

    /// <summary>Positions that are no parameters bind no length; what dropout the model was trained with neither.</summary>
    [Fact]
    public void WhatIsNoSizeOfTheWeightsMayDiffer()
    {
        var llama = new LlamaConfig { Layers = 2, HiddenSize = 16, Heads = 2, ContextLength = 16 };
        string source = _folder.File("source");
        TrainingRun.Run(Scratch(2) with { Model = llama }, source);
        TrainingRun.Run(Scratch(2) with { Model = llama with { ContextLength = 8 }, From = source }, _folder.File("shorter"));

        Recipe dropping = Scratch(2) with { Model = (Gpt2Config)Scratch(2).Model with { AttentionDropout = 0.1 }, From = _trained.Model };
        TrainingRun.Run(dropping, _folder.File("dropping"));
    }

    private static JsonNode Initial(string run) => JsonNode.Parse(File.ReadAllText(Path.Combine(run, "run.json")))!["initial"]!;
}
