using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Training;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Training;

public class RecipeReaderTests
{
    private const string Good = """
        model:
          n_embd: 64
          n_head: 4
          n_positions: 64
        data: {path: data/x}
        training:
          length: 1000 steps
          micro_batch: 16
        learning_rate:
          peak: 1e-3
        method:
          name: apollo
        """;

    private static readonly string Root = RepositoryRoot.Find();

    public static TheoryData<string> RecipeFiles => [.. Directory.GetFiles(Path.Combine(Root, "recipes"), "*.yaml").Select(f => Path.GetFileName(f)!)];

    [Theory]
    [MemberData(nameof(RecipeFiles))]
    public void EveryRecipeThatWeShipIsRightAndCommented(string file)
    {
        string path = Path.Combine(Root, "recipes", file);
        Recipe recipe = RecipeReader.Read(path);
        Assert.NotEmpty(recipe.Name);
        foreach (string line in File.ReadLines(path).Where(l => l.Contains(": ", StringComparison.Ordinal)))
        {
            Assert.Contains("# ", line, StringComparison.Ordinal);
        }
    }

    /// <summary>Each took minutes, or all of the memory, before it was refused.</summary>
    [Fact]
    public void EndlessRecipesEndQuickly()
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        string keys = string.Concat(Enumerable.Range(0, 200_000).Select(i => $"\nkey{i}: {i}"));
        Refused(Good + keys, "more than 1000 keys");
        Refused(Good + "\n" + new string('k', 1000) + ": 1", "is not a key of a recipe");
        string bomb = "\na0: &a0 [x]" + string.Concat(
            Enumerable.Range(1, 30).Select(i => $"\na{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}, *a{i - 1}]"));
        Refused(Good + bomb, "values");
        Refused(Good.Replace("1000 steps", "1e15 steps", StringComparison.Ordinal), "1000000000000 are the most");
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30), $"{clock.Elapsed}");

        static void Refused(string yaml, string why) =>
            Assert.Contains(why, Assert.Throws<UserErrorException>(() => RecipeReader.Parse(yaml, "endless.yaml")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tiny.yaml")]
    [InlineData("tiny-bert.yaml")]
    [InlineData("llama-tiny.yaml")]
    public void TinyShowsEveryKey(string file)
    {
        string path = Path.Combine(Root, "recipes", file), written = File.ReadAllText(path);
        foreach ((string key, _) in ConfigKeys.Flatten(RecipeReader.Read(path)))
        {
            Assert.Matches($@"(?m)^ *{key.Split('.')[^1]}: ", written);
        }
    }

    [Theory]
    [InlineData("gpt2-mini", "learning_rate[.]peak|training[.]length|")]
    [InlineData("bert-mini", "training[.]length|")]
    [InlineData("gpt2-base", "")]
    [InlineData("bert-base", "")]
    public void TheComparedRecipesDifferOnlyInWhatTheySay(string pair, string besides)
    {
        var differences = RecipeDifference.Describe(
            RecipeReader.Read(Path.Combine(Root, "recipes", pair + "-scratch.yaml")),
            RecipeReader.Read(Path.Combine(Root, "recipes", pair + "-apollo.yaml")));
        Assert.All(differences, d => Assert.Matches($"^({besides}name|method[.][a-z_]+): ", d));
        Assert.Contains(differences, d => d.StartsWith("method.name: scratch here, apollo there", StringComparison.Ordinal));
    }

    [Fact]
    public void ThePaperRecipeIsThePapers()
    {
        Recipe recipe = RecipeReader.Read(Path.Combine(Root, "recipes", "gpt2-base-apollo.yaml"));
        Assert.Equal(512, recipe.Training.MicroBatch * recipe.Training.GradientAccumulation);
        Assert.Equal((12, 768, 12, 1024), (recipe.Model.Layers, recipe.Model.HiddenSize, recipe.Model.Heads, recipe.Model.ContextLength));
        Assert.Equal(new AdamWConfig { Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-8, WeightDecay = 0.01, ClipNorm = 1 }, recipe.Optimizer);
        Assert.Equal((1e-4, LearningRateSchedule.Cosine, Duration.Percent(2.5)), (recipe.LearningRate.Peak, recipe.LearningRate.Schedule, recipe.LearningRate.Warmup));
        Assert.Equal((Precision.Bf16, 42UL), (recipe.Training.Precision, recipe.Seed));
    }

    [Fact]
    public void FillsInDefaultsAndTheMethodsOwn()
    {
        Recipe recipe = RecipeReader.Parse(Good, "some/where/my-run.yaml");
        Assert.Equal("my-run", recipe.Name);
        Assert.Equal(42UL, recipe.Seed);
        Assert.Equal("gpt2", recipe.Model.ModelType);
        var method = Assert.IsType<ApolloConfig>(recipe.Method);
        Assert.Equal([1, 3, 6, 12], method.Stages);
        Assert.Equal([Duration.Percent(5), Duration.Percent(10), Duration.Percent(25)], method.Boundaries);
        Assert.Equal(DepthSamplerKind.Lvps, method.Sampler);
        Assert.Equal(LayerMapChoice.Interpolate, method.SharingMap);
        Assert.Equal(MomentPolicy.Keep, method.Moments);
    }

    [Fact]
    public void OverridesComeBeforeTheFile()
    {
        Recipe recipe = RecipeReader.Parse(Good, "r.yaml", [
            "training.micro_batch=8", "method.stages=[2,12]", "method.boundaries=[30 %]", "optimizer.beta2=.95",
            "name=other name", "training.length=2e6 tokens", "training.length=1e6 tokens", "model.tie_word_embeddings=false",
        ]);
        Assert.Equal(8, recipe.Training.MicroBatch);
        Assert.Equal([2, 12], ((ApolloConfig)recipe.Method).Stages);
        Assert.Equal([Duration.Percent(30)], ((ApolloConfig)recipe.Method).Boundaries);
        Assert.Equal(new AdamWConfig { Beta2 = 0.95 }, recipe.Optimizer);
        Assert.Equal("other name", recipe.Name);
        Assert.Equal(Duration.Tokens(1_000_000), recipe.Training.Length);
        Assert.False(recipe.Model.TiedHead);
    }

    [Fact]
    public void AMethodMayBeSwappedOnTheCommandLine()
    {
        string own = Good + "\n  stages: [3, 12]\n  boundaries: [10 %]\n";
        Assert.Equal(new ScratchConfig(), RecipeReader.Parse(own, "r.yaml", ["method={name: scratch}"]).Method);

        // These two have all keys in common.
        var stacking = Assert.IsType<StackBertConfig>(RecipeReader.Parse(own, "r.yaml", ["method.name=stack-bert"]).Method);
        Assert.Equal([3, 12], stacking.Stages);
        string problem = Assert.Single(Problems(own, "r.yaml", "method.name=scratch"));
        Assert.StartsWith("r.yaml:11: method: stages, boundaries are keys of apollo, progressive and ", problem, StringComparison.Ordinal);
        Assert.EndsWith("and this method is scratch — replace the whole section by `method={name: scratch}`", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void AnEmptySectionMeansItsDefaults() =>
        Assert.Equal(new AdamWConfig(), RecipeReader.Parse(Good + "\noptimizer:\n  # beta1: 0.5\n", "r.yaml").Optimizer);

    [Fact]
    public void FiveErrorsAreFiveLinesInTheOrderOfTheFile()
    {
        const string Bad = """
            model:
              n_embd: 64
              n_head: 5
              n_positions: 64
            data: {path: data/x}
            training:
              length: 1000
              mirco_batch: 16
            learning_rate:
              peak: high
            method:
              name: apollo
              stages: [1, 6, 3, 12]
            """;
        Assert.Equal(
            [
                "bad.yaml:3: model.n_head: 5 does not divide n_embd 64 — 4 and 8 do",
                "bad.yaml:7: training.length: `1000` is not a duration: its unit is missing (steps, % or tokens) — write a number and its unit: `2000 steps`, `5 %` or `1.5e9 tokens`",
                "bad.yaml:8: training.mirco_batch: is not a key of a recipe — did you mean `training.micro_batch`?",
                "bad.yaml:10: learning_rate.peak: `high` is of the wrong type — write a number, such as 0.1 or 1e-4",
                "bad.yaml:13: method.stages: [1, 6, 3, 12] does not increase — each stage stores more layers than the one before",
            ],
            Problems(Bad, "bad.yaml"));
    }

    // One wrong thing each: what is written in place of (or after) a good line, and what the message must say.
    [Theory]
    [InlineData("model.n_embd=6.5", "model.n_embd: `6.5` is of the wrong type — write a whole number")]
    [InlineData("model.n_embd=[64]", "model.n_embd: is a list — write a whole number")]
    [InlineData("model.n_embd=", "model.n_embd: has no value — write a whole number")]
    [InlineData("model.n_embd=0", "model.n_embd: is 0 — it must be at least 1")]
    [InlineData("model.n_embd=99999999999999", "model.n_embd: is 99999999999999 — it must be between")]
    [InlineData("model.n_embd={a: 1}", "model.n_embd: is a section with keys of its own")]
    [InlineData("model.resid_pdrop=1", "model.resid_pdrop: is 1 — it must be at least 0 and less than 1")]
    [InlineData("model.model_type=gpt3", "model.model_type: `gpt3` is not one of gpt2, bert")]
    [InlineData("model={model_type: brt, hidden_size: 64}", "model.model_type: `brt` is not one of gpt2, bert")]
    [InlineData("model.tie_word_embeddings=yes", "`yes` is of the wrong type — write true or false")]
    [InlineData("model=7", "model: must be a section")]
    [InlineData("seed=-1", "seed: is -1")]
    [InlineData("data.path=''", "data.path: is empty")]
    [InlineData("training.device=gpu", "training.device: is gpu — write auto, cpu, cuda or cuda:N")]
    [InlineData("training.length=50 %", "training.length: a run's own length cannot be per cent — give it in steps or tokens")]
    [InlineData("training.length=100 tokens", "`100 tokens` is less than one step — a step takes 1024 tokens")]
    [InlineData("learning_rate.schedule=cosinus", "`cosinus` is not one of cosine, linear, constant, wsd — did you mean `cosine`?")]
    [InlineData("learning_rate.warmup=1001 steps", "learning_rate.warmup: `1001 steps` is longer than the run of 1000 steps")]
    [InlineData("learning_rate.warmup=2e6 tokens", "`2000000 tokens` is longer than the run")]
    [InlineData("learning_rate.peak=0", "learning_rate.peak: is 0 — it must be more than 0")]
    [InlineData("learning_rate.peak=NaN", "learning_rate.peak: `NaN` is of the wrong type")]
    [InlineData("method.rewarm=2000 steps", "method.rewarm: `2000 steps` is longer than the run")]
    [InlineData("evaluation.every=0 steps", "evaluation.every: is 0")]
    [InlineData("method.stages=[1, 3, 6, 11]", "[1, 3, 6, 11] ends with 11 layers where the model has n_layer 12 — end with 12")]
    [InlineData("method.stages=[0, 3, 6, 12]", "begins with 0 layers")]
    [InlineData("method.stages=[1, 3, 3, 12]", "does not increase")]
    [InlineData("method.stages=[1, 12]", "method.boundaries: 2 stages [1, 12] need 1 boundary, not 0 — give one for each stage but the first, such as [5 %]")]
    [InlineData("method.stages=[1, three]", "method.stages: `three` is of the wrong type")]
    [InlineData("method.stages=12", "method.stages: is `12` — write a list of whole numbers")]
    [InlineData("method.boundaries=[5 %, 25 %]", "4 stages [1, 3, 6, 12] need 3 boundaries, not 2")]
    [InlineData("method.boundaries=[5 %, 25 %, 10 %]", "`10 %` is step 100, not after step 250, the boundary before it")]
    [InlineData("method.boundaries=[0 %, 25 %, 30 %]", "`0 %` is step 0, not after the beginning")]
    [InlineData("method.boundaries=[5 %, 25 %, 1000 steps]", "`1000 steps` is step 1000, where the run has 1000")]
    [InlineData("method.boundaries=[5 %, 25 %, 200 steps]", "`200 steps` is step 200, not after step 250")]
    [InlineData("method.boundaries=[5, 10, 25]", "method.boundaries: `5` is not a point of the run: its unit is missing (steps, % or tokens)")]
    [InlineData("method={name: scratch, rewarm: 5 steps}", "method.rewarm: is a key of apollo, progressive and ")]
    [InlineData("method={name: stack-bert, draw: update}", "method.draw: is a key of apollo, and this method is stack-bert — leave it out, or set `method.name` to apollo")]
    [InlineData("method={name: scratch, stages: [6, 12], boundaries: [5 %]}", "others, and this method is scratch — replace the whole section by `method={name: scratch}`")]
    [InlineData("method.sampler=lpvs", "did you mean `lvps`?")]
    [InlineData("method.sharing_map=[0, 0]", "method.sharing_map: a list goes with two stages")]
    [InlineData("method.sharing_map={a: 1}", "method.sharing_map: is a section with keys of its own — write interpolate, stack, or a list of stored layers")]
    [InlineData("method.sharing_map=[0, x]", "method.sharing_map: `x` is of the wrong type — write a whole number")]
    [InlineData("method.sharing_map=interpolated", "`interpolated` is not one of interpolate, stack or a list of layers — did you mean `interpolate`?")]
    [InlineData("learning_rate={peak: 1e-3, schedule: wsd, warmup: 60 %, decay: 50 %}", "learning_rate.decay: warm-up and decay, `60 %` and `50 %`, are longer than the run of")]
    [InlineData("micro_batch=7", "micro_batch: is not a key of a recipe — did you mean `training.micro_batch`?")]
    [InlineData("training.micro_batches=7", "training.micro_batches: is not a key of a recipe — did you mean")]
    [InlineData("model.hidden_size=64", "model.hidden_size: is a key of bert and llama and qwen3, and this model is gpt2 — its key is `model.n_embd`")]
    [InlineData("model.type_vocab_size=2", "model.type_vocab_size: is a key of bert, and this model is gpt2 — leave it out, or set `model.model_type` to bert")]
    [InlineData("trainig.micro_batch=7", "trainig: is not a key of a recipe — did you mean")]
    [InlineData("training.length.steps=7", "training.length.steps: `length` has a value at r.yaml:7, and no keys")]
    [InlineData("training.micro_batch", "training.micro_batch: is not a setting — write `key=value`")]
    [InlineData("=7", "=7: is not a setting")]
    [InlineData("method.stages=[1, 3", "command line: method.stages: cannot be read as YAML")]
    public void OneErrorIsOneLine(string setting, string says)
    {
        string problem = Assert.Single(Problems(Good, "r.yaml", setting));
        Assert.StartsWith("command line: ", problem, StringComparison.Ordinal);
        Assert.Contains(says, problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]", "lists 11 layers — list one stored layer for each of the 12")]
    [InlineData("[0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2]", "names layer 2 of 2 stored — they are counted from 0 to 1")]
    [InlineData("[0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, -1]", "names layer -1 of 2 stored")]
    [InlineData("[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]", "leaves stored layer 1 out")]
    public void AListOfSharedLayersMustFit(string map, string says)
    {
        string problem = Assert.Single(Problems(
            Good, "r.yaml", "method.stages=[2, 12]", "method.boundaries=[50 %]", "method.sampler=full", "method.sharing_map=" + map));
        Assert.Contains(says, problem, StringComparison.Ordinal);
    }

    [Fact]
    public void AListOfSharedLayersGoesWithFullDepth()
    {
        string[] settings = ["method.stages=[2, 12]", "method.boundaries=[50 %]", "method.sharing_map=[0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]"];
        Assert.Contains("the sampler lvps draws depths between 2 and 12", Assert.Single(Problems(Good, "r.yaml", settings)), StringComparison.Ordinal);
        Recipe recipe = RecipeReader.Parse(Good, "r.yaml", [.. settings, "method.sampler=full"]);
        Assert.Equal([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1], ((ApolloConfig)recipe.Method).SharingMap.Custom);
    }

    [Theory]
    [InlineData("", "recipe: is empty")]
    [InlineData("# nothing\n", "recipe: is empty")]
    [InlineData("- a\n- b\n", "r.yaml:1: recipe: is not a list of keys")]
    [InlineData("a: [1\nb: 2", "recipe: cannot be read as YAML")]
    [InlineData("a: *nobody", "has no anchor before it")]
    public void WhatIsNoRecipeSaysSo(string yaml, string says) =>
        Assert.Contains(says, Assert.Single(Problems(yaml, "r.yaml")), StringComparison.Ordinal);

    [Fact]
    public void MissingKeysAreNamedEachOnce() => Assert.Equal(
        [
            "r.yaml: data: is missing — add the section with `path`",
            "r.yaml: training: is missing — add the section with `length`, `micro_batch`",
            "r.yaml: learning_rate: is missing — add the section with `peak`",
            "r.yaml: method: is missing — add the section with `name`",
            "r.yaml:1: model.n_positions: is missing — add it; it has no default",
        ],
        Problems("model:\n  n_embd: 64\n  n_head: 4\n", "r.yaml"));

    [Fact]
    public void ADuplicateKeyNamesBothLines() => Assert.Equal(
        ["r.yaml:14: method.name: is set twice, first at r.yaml:12 — keep one of the two"],
        Problems(Good + "\n  draw: update\n  name: scratch", "r.yaml"));

    [Fact]
    public void AMissingFileIsNamed()
    {
        Assert.Contains("no recipe `nowhere.yaml`", Assert.Throws<UserErrorException>(() => RecipeReader.Read("nowhere.yaml")).Message, StringComparison.Ordinal);
        Assert.Contains("it is a folder", Assert.Throws<UserErrorException>(() => RecipeReader.Read(Path.GetTempPath())).Message, StringComparison.Ordinal);
    }

    /// <summary>Whatever the text: a recipe, or an error for the user, and nothing else.</summary>
    [Fact]
    public void DamagedTextNeverBreaksTheReader()
    {
        var damages =
            from position in Gen.Choose(0, Good.Length - 1)
            from length in Gen.Choose(0, 20)
            from inserted in Gen.ArrayOf(Gen.Elements("{}[]:,-*&!|>'\"%@`#? \n\t0a\0~\\".ToCharArray()))
            select Good.Remove(position, Math.Min(length, Good.Length - position)).Insert(position, new string(inserted));
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(2000),
            Prop.ForAll(damages.ToArbitrary(), yaml =>
            {
                try
                {
                    RecipeReader.Parse(yaml, "r.yaml");
                    return true;
                }
                catch (UserErrorException e)
                {
                    return e.Message.Split('\n').All(line => line.Contains(" — ", StringComparison.Ordinal));
                }
            }));
    }

    [Fact]
    public void ATagThatIsNoneIsAnError() =>
        Assert.Contains("r.yaml:2: ", Assert.Single(Problems("model:\n  !!,[[ n_positions: 64\n", "r.yaml")), StringComparison.Ordinal);

    [Fact]
    public void DeepNestingIsAnErrorAndNoStackOverflow() =>
        Assert.Contains("nested too deeply", Assert.Single(Problems("a: " + new string('[', 100_000), "r.yaml")), StringComparison.Ordinal);

    private static string[] Problems(string yaml, string file, params string[] overrides) =>
        Assert.Throws<UserErrorException>(() => RecipeReader.Parse(yaml, file, overrides)).Message.Split('\n');
}
