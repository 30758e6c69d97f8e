using Espalier.Tests.Data;
using Espalier.Training;

namespace Espalier.Tests.Training;

/// <summary>
/// Recipes of the time when all methods had all keys, as every run folder of that time keeps one: one message, which shows
/// how the section is written now.
/// </summary>
public sealed class OldRecipeTests : IDisposable
{
    private const string Rest = """
        model: {n_layer: 4, n_embd: 16, n_head: 2, n_positions: 16}
        data: {path: data/x}
        training: {length: 1000 steps, micro_batch: 16}
        learning_rate: {peak: 1e-3}
        method:

        """;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // As the version before wrote them.
    private const string Sampling = """
          sampler: none
          lvps_begin_offset: 0.4
          lvps_end: 0.6
          inverse_power: 5
          draw: micro-batch

        """;

    private const string Progressive = "  name: progressive\n  stages: [1, 2, 4]\n  boundaries: [10 %, 25 %]\n" + Sampling
        + "  sharing_map: interpolate\n  growth_map: interpolate\n  moments: keep\n  rewarm: 0 steps\n";

    private const string Scratch = "  name: scratch\n  stages: [4]\n  boundaries: []\n" + Sampling
        + "  sharing_map: interpolate\n  growth_map: interpolate\n  moments: keep\n  rewarm: 0 steps\n";

    private const string StackBert = "  name: stack-bert\n  stages: [1, 2, 4]\n  boundaries: [10 %, 25 %]\n" + Sampling
        + "  sharing_map: stack\n  growth_map: stack\n  moments: reset\n  rewarm: 0 steps\n";

    [Theory]
    [InlineData(
        Progressive,
        "sampler, lvps_begin_offset, lvps_end, inverse_power, draw are keys of apollo, and this method is progressive",
        "{name: progressive, stages: [1, 2, 4], boundaries: [10 %, 25 %], sharing_map: interpolate, growth_map: interpolate, moments: keep, rewarm: 0 steps}",
        "apollo")]
    [InlineData(
        Scratch,
        "stages, boundaries, sampler, lvps_begin_offset, lvps_end, inverse_power, draw, sharing_map, growth_map, moments, rewarm are keys of apollo, and this method is scratch",
        "{name: scratch}",
        "apollo")]
    [InlineData(
        StackBert,
        "sampler, lvps_begin_offset, lvps_end, inverse_power, draw, sharing_map, growth_map are keys of apollo, and this method is stack-bert",
        "{name: stack-bert, stages: [1, 2, 4], boundaries: [10 %, 25 %], moments: reset, rewarm: 0 steps}",
        "apollo")]
    public void OneMessageShowsHowTheSectionIsWrittenNow(string method, string what, string section, string other)
    {
        var exception = Assert.Throws<UserErrorException>(() => RecipeReader.Parse(Rest + method, "r.yaml"));
        Assert.Equal(
            $"r.yaml:5: method: {what} — write it so: `method: {section}`, or set `method.name` to {other}", exception.Message);

        // What it shows is right.
        Recipe recipe = RecipeReader.Parse(Rest.Replace("method:", "method: " + section, StringComparison.Ordinal), "r.yaml");
        Assert.StartsWith($"{{name: {recipe.Method.Name}", section, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatElseIsWrongIsStillSaid() => Assert.Equal(
        [
            "r.yaml:5: method: sampler, draw are keys of apollo, and this method is stack-bert — write it so: `method: {name: stack-bert, moments: maps}`, or set `method.name` to apollo",
            "r.yaml:8: method.moments: `maps` is not one of keep, map, reset — did you mean `map`?",
            "r.yaml:10: method.rewram: is not a key of a recipe — did you mean `method.rewarm`?",
        ],
        Assert.Throws<UserErrorException>(() => RecipeReader.Parse(
            Rest + "  name: stack-bert\n  sampler: none\n  moments: maps\n  draw: update\n  rewram: 1 steps\n", "r.yaml")).Message.Split('\n'));

    /// <summary>Values stand as they were written, quotes where they are needed.</summary>
    [Fact]
    public void ValuesStandAsTheyWereWritten() => Assert.Contains(
        "`method: {name: progressive, stages: [1, \"2 3\", {a: null}], rewarm: null}`",
        Assert.Throws<UserErrorException>(() => RecipeReader.Parse(
            Rest + "  name: progressive\n  stages: [1, '2 3', {a: }]\n  rewarm: null\n  sampler: none\n  draw: update\n", "r.yaml")).Message,
        StringComparison.Ordinal);

    [Fact]
    public void ARunFolderOfThatTimeSaysItOfItsOwnRecipe()
    {
        string run = _folder.File("run"), recipe = _folder.Write("run/recipe.yaml", Rest + Scratch);
        var exception = Assert.Throws<UserErrorException>(() => RunDirectory.Open(run, TinyRun.Recipe));
        Assert.StartsWith($"{recipe}:5: method: stages, boundaries, sampler,", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', exception.Message);
    }
}
