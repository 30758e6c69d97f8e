using System.Globalization;
using System.Text.Json.Nodes;
using Espalier.Growth;
using Espalier.Optimization;
using Espalier.Tests.Data;
using Espalier.Tests.Planning;
using Espalier.Tests.Training;
using Espalier.Training;

namespace Espalier.Tests.Cli;

[Collection(ConsoleCollection.Name)]
public sealed class PlanCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Half the depth of the authors' base model, then the whole: table, picture and a recipe that trains so.</summary>
    [Fact]
    public void CurvesGiveTheCeilingFirstThenTheGrowthAndItsRecipe()
    {
        string output = _folder.File("plan");
        string[] args =
        [
            "plan", Recipe(12, 768), "--curve", Log("base-half-depth") + "@n_layer=6,n_embd=768",
            "--curve", Log("base") + "@n_layer=12,n_embd=768", "--out", output,
        ];
        string printed = CommandLine.Succeed(args);
        Assert.StartsWith("Ceiling: of training base from scratch", printed, StringComparison.Ordinal);
        Assert.Contains("13.2 %", printed, StringComparison.Ordinal);

        JsonNode json = JsonNode.Parse(CommandLine.Succeed([.. args, "--json"]))!;
        Assert.Equal(json.ToJsonString(), JsonNode.Parse(File.ReadAllText(Path.Combine(output, "plan.json")))!.ToJsonString());
        JsonNode growth = json["growths"]![0]!;
        Assert.Equal((2949, 2149, 5099), ((int)growth["grow_at_step"]!, (int)growth["go_on_at_step"]!, (int)growth["stop_at_step"]!));
        Assert.Equal(0.132, (double)json["saving"]!, 5e-4);

        // One is read off the logs, the other off their running mean.
        Assert.True((double)json["ceiling"]!["one_growth"]! > (double)json["saving"]! - 0.005);

        Recipe recipe = RecipeReader.Read(Path.Combine(output, "recipe.yaml"));
        var method = Assert.IsType<StagedTrainingConfig>(recipe.Method);
        Assert.Equal(["n_layer=6", "n_layer=12"], method.Stages.Select(stage => stage.Text));
        Assert.Equal(["2949 steps"], method.Boundaries.Select(boundary => boundary.ToString()));
        Assert.Equal("rewind 1.372", method.Schedule!.ToString());
        Assert.Equal("5899 steps", recipe.Training.Length.ToString());
        Assert.StartsWith("<svg", File.ReadAllText(Path.Combine(output, "plan.svg")), StringComparison.Ordinal);
    }

    [Fact]
    public void WidthGrowsByItsOwnThreshold()
    {
        string output = _folder.File("plan");
        CommandLine.Succeed(
        [
            "plan", Recipe(24, 1536), "--curve", Log("large-half-width") + "@n_layer=24,n_embd=768",
            Log("large") + "@n_layer=24,n_embd=1536", "--out", output,
        ]);
        var method = (StagedTrainingConfig)RecipeReader.Read(Path.Combine(output, "recipe.yaml")).Method;
        Assert.Equal(["n_layer=24 n_embd=768", "n_layer=24 n_embd=1536"], method.Stages.Select(stage => stage.Text));
        Assert.Equal("6299 steps", method.Boundaries[0].ToString());
    }

    [Fact]
    public void OneCurveTellsWhenToGrow()
    {
        string printed = CommandLine.Succeed(
            ["plan", "--curve", Log("base-half-depth") + "@flops=1e15", "--grow", "depth", "--json"]);
        JsonNode growth = JsonNode.Parse(printed)!["growths"]![0]!;
        Assert.Equal(2949, (double)growth["grow_at_step"]!);
        Assert.Equal(2949 / 1.412, (double)growth["go_on_at_step"]!, 1e-9);
    }

    [Fact]
    public void MistakesAreNamedAndNothingIsWritten()
    {
        string half = Log("base-half-depth"), whole = Log("base"), output = _folder.File("plan");
        string empty = _folder.Write("empty.csv", ""), odd = _folder.Write("odd.csv", "step,accuracy\n1,2\n");
        Fails([], "lacks something to plan from");
        Fails(["--curve", half, whole], "does not tell which model", "n_layer=6");
        Fails(["--curve", half + "@n_layer=6,n_embd=768", whole + "@flops=1e15"], "no common measure");
        Fails(["--curve", whole + "@n_layer=12,n_embd=768", half + "@n_layer=6,n_embd=768"], "sizes contradict");
        Fails(["--curve", half + "@n_layer=6,n_embd=768", whole + "@n_layer=12,n_embd=768", "--grow", "width"], "contradicts the sizes");
        Fails(["--curve", half + "@n_layr=6", whole + "@n_layer=12,n_embd=768"], "'n_layr'", "n_layer");
        Fails(["--curve", half + "@n_layer=6", whole + "@n_layer=12,n_embd=768"], "n_embd or hidden_size is missing");
        Fails(["--curve", half + "@flops=1", whole + "@flops=2", "--grow", "depth", "--threshold", "-0.001"], "never becomes flatter", "--threshold");
        Fails(["--curve", half + "@flops=1", whole + "@flops=2", "--grow", "depth", "--budget", "1"], "--budget 1.00e0 is too small");
        Fails(["--curve", half + "@flops=1", whole + "@flops=2", "--grow", "depth", "--loss", "1"], "only gets down to");
        Fails(["--curve", half + "@flops=1", whole + "@flops=2"], "do not tell what grows", "--grow");
        Fails(["--curve", half + "@flops=1", "--grow", "depth", "--column", "accuracy"], "no column 'accuracy'", "Step, Value");
        Fails(["--curve", empty + "@flops=1", "--grow", "depth"], "empty.csv' is empty");
        Fails(["--curve", odd + "@flops=1", "--grow", "depth"], "no column of losses", "accuracy");
        Fails(["--curve", _folder.File("none.csv") + "@flops=1", "--grow", "depth"], "There is no '");
        Fails(["--curve", half + "@flops=1", "--law"], "three ways to plan");
        Fails(["--law"], "lacks a target");
        Fails(["--law", "--size", "1e9", "--budget", "1e3"], "--budget 1.00e3 is too small");
        Fails(["--law", "--size", "1e9", "--loss", "1"], "never get below");
        Fails(["--law", "--size", "1e9", "--constants", "n=1"], "no constant 'n'");
        Fails(["--law", "--size", "1e12", "--rank-memory", "1e6"], "fits on no number of ranks", "--rank-memory");
        Fails(["--law", Recipe(12, 768), "--size", "1e9"], "says already");
        Fails([Recipe(12, 768)], "The vocabulary is not known", "model.vocab_size=50257");
        Fails([Recipe(12, 768), "--curve", half + "@n_layer=6,n_embd=384", whole + "@n_layer=12,n_embd=384"], "sizes contradict");
        Assert.False(Path.Exists(output));

        // A pilot has no folder of its own where none is named.
        CommandLine.Fail(["plan", "--pilot", Recipe(12, 768)], "lacks --out");
        string other = _folder.File("other");
        Directory.CreateDirectory(other);
        File.WriteAllText(Path.Combine(other, "thesis.tex"), "");
        CommandLine.Fail(["plan", "--law", "--size", "1e9", "--out", other], "holds other files");

        void Fails(string[] args, params string[] says) => CommandLine.Fail(["plan", .. args, "--out", output], says);
    }

    [Fact]
    public void TheLawPlansForASizeOnRanks()
    {
        JsonNode json = JsonNode.Parse(CommandLine.Succeed(["plan", "--law", "--size", "1e12", "--rank-memory", "80e9", "--json"]))!;
        Assert.Equal(1e12, (double)json["size"]!);
        Assert.Equal((double)json["saving"]!, (double)json["ceiling"]!["all_growths"]!);
        Assert.Equal(4, json["stages"]!.AsArray().Count);
        long[] ranks = [.. json["ranks"]!.AsArray().Select(layout => (long)layout!["ranks"]!)];
        Assert.Equal(ranks.Order(), ranks);
        Assert.All(json["ranks"]!.AsArray(), layout => Assert.True((double)layout!["bytes_per_rank"]! <= 0.8 * 80e9));
    }

    [Fact]
    public void TheLawWritesARecipeOfTheDepthsThatThereAre()
    {
        string output = _folder.File("plan");
        CommandLine.Succeed(["plan", "--law", Recipe(12, 768, "2e9 tokens"), "--stages", "2", "--out", output]);
        var method = Assert.IsType<StagedTrainingConfig>(RecipeReader.Read(Path.Combine(output, "recipe.yaml")).Method);
        Assert.Equal(2, method.Stages.Length);
        Assert.Equal("n_layer=12", method.Stages[1].Text);
    }

    [Fact]
    public void ARecipesCostIsToldBeforeItRuns()
    {
        JsonNode json = JsonNode.Parse(CommandLine.Succeed(
            ["plan", Recipe(12, 768), "model.vocab_size=50257", "method={name: apollo}", "training.length=10000 steps", "--json"]))!;
        Assert.True((bool)json["is_exact"]!);
        Assert.Equal(0.864, (double)json["layers_share"]!, 5e-4);
        Assert.Equal(0.864, (double)json["share_without_head"]!, 5e-4);
        Assert.Equal([1, 3, 6, 12], json["stages"]!.AsArray().Select(stage => (int)stage!["layers"]!));
    }

    /// <summary>64 micro-batches on 8 ranks; the head is too large for the first stage's single layer to hide.</summary>
    [Fact]
    public void ARecipesRanksAreToldStageByStage()
    {
        string[] args =
        [
            "plan", Recipe(12, 768), "model.vocab_size=50257", "method={name: apollo}", "training.length=10000 steps", "--ranks", "8",
            "--network", "10Gbit/s,20us", "--speed", "100e12", "--rank-memory", "80e9",
        ];
        JsonNode json = JsonNode.Parse(CommandLine.Succeed([.. args, "--json"]))!["on_ranks"]!;
        Assert.Equal(8, (int)json["micro_batches_per_rank"]!);
        Assert.Equal(1.25e9, (double)json["network"]!["bytes_per_second"]!);
        JsonNode last = json["stages"]![3]!;
        Assert.Equal(7.0 / 4 * 4 * 124_439_808, (double)last["sent_bytes"]!);
        Assert.InRange((double)last["efficiency"]!, 0.3, 0.6);
        Assert.Equal([1, 2, 4, 8], json["run"]!.AsArray().Select(row => (int)row!["ranks"]!));
        string printed = CommandLine.Succeed(args);
        Assert.Contains("fits 74.51 GiB", printed, StringComparison.Ordinal);
        Assert.Contains("as it is", printed, StringComparison.Ordinal);
    }

    [Fact]
    public void MistakesAboutRanksAreNamed()
    {
        string recipe = Recipe(12, 768);
        Fails(["--ranks", "7"], "7 ranks cannot share 64 micro-batches evenly");
        Fails(["--ranks", "8", "--network", "ethernet-99"], "'ethernet-99' is no network", "ethernet-");
        Fails(["--ranks", "8", "--speed", "-1"], "--speed -1 is no speed");
        Fails(["--ranks", "8", "--speed", "1e12", "--measure"], "leave --measure out");
        Fails(["--speed", "1e12"], "Give --ranks with it");
        Fails(["--ranks", "8", "--law"], "--ranks plans for a RECIPE alone");

        void Fails(string[] args, params string[] says) => CommandLine.Fail(["plan", recipe, "model.vocab_size=50257", .. args], says);
    }

    [Fact]
    public void MeasuringTellsWhatARankReaches()
    {
        JsonNode json = JsonNode.Parse(CommandLine.Succeed(
            ["plan", Write(TinyRun.Recipe), "model.vocab_size=300", "training.gradient_accumulation=4", "--measure", "--ranks", "2", "--json"]))!;
        Assert.All(json["on_ranks"]!["stages"]!.AsArray(), stage => Assert.InRange((double)stage!["efficiency"]!, 0.001, 1));
    }

    [Fact]
    public void MeasuringTellsTheTime()
    {
        string recipe = Write(TinyRun.Recipe);
        JsonNode json = JsonNode.Parse(CommandLine.Succeed(["plan", recipe, "model.vocab_size=300", "--measure", "--json"]))!;
        Assert.True((double)json["seconds"]! > 0);
    }

    /// <summary>Two short runs; the same command goes on with them, and the recipe that it writes grows where it says.</summary>
    [Fact]
    public void APilotProposesHowLateToGrow()
    {
        string output = _folder.File("pilot"), recipe = Write(TinyRun.Recipe with
        {
            Method = new LateGrowthConfig { Stages = [1, 4], NewLayers = LateLayers.Interpolate },
        });
        string[] args = ["plan", "--pilot", recipe, "training.length=60 steps", "--pilot-length", "24 steps", "--tolerance", "0.5", "--out", output, "--json"];
        JsonNode first = JsonNode.Parse(CommandLine.Succeed(args))!, again = JsonNode.Parse(CommandLine.Succeed(args))!;
        Assert.Equal(first.ToJsonString(), again.ToJsonString());
        Assert.Equal((long)first["total"]! - (long)first["decay"]! - (long)first["t_mix"]!, (long)first["tau"]!);
        Recipe planned = RecipeReader.Read(Path.Combine(output, "recipe.yaml"));
        Assert.Equal(LearningRateSchedule.Wsd, planned.LearningRate.Schedule);
        Assert.Equal(6, (long)first["decay"]!);
        var method = Assert.IsType<LateGrowthConfig>(planned.Method);
        Assert.Equal($"{(long)first["tau"]!} steps", method.Boundaries[0].ToString());

        CommandLine.Fail(
            ["plan", "--pilot", recipe, "--pilot-length", "100 steps", "--out", _folder.File("long")], "A pilot of 100 updates is too long");
    }

    private string Log(string name) => _folder.Write(
        name + ".csv",
        "Wall time,Step,Value\n" + string.Concat(StagedTrainingLogs.Steps(name).Select(
            point => string.Create(CultureInfo.InvariantCulture, $"0,{point.Step},{point.Loss}\n"))));

    private string Recipe(int layers, int width, string length = "3e9 tokens") => _folder.Write($"gpt-{layers}.yaml",
        $"""
        model:
          n_layer: {layers}
          n_embd: {width}
          n_head: {width / 64}
          n_positions: 1024
        data:
          path: {_folder.File("no-data")}
        training:
          length: {length}
          micro_batch: 8
          gradient_accumulation: 64
          precision: f32
          device: cpu
        learning_rate:
          peak: 6e-4
        method:
          name: scratch
        """);

    private string Write(Recipe recipe) => _folder.Write("tiny.yaml", RecipeWriter.Write(recipe));
}
