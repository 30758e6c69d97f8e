using Espalier.Tests.Growth;
using Espalier.Training;

namespace Espalier.Tests.Training;

/// <summary>The recipes of all methods: each is there for both architectures, and differs from the baseline in its method alone.</summary>
public class MethodRecipesTests
{
    public static IEnumerable<object[]> All =>
        from method in EveryMethod.All.Select(method => method.Name)
        where method != "scratch"
        from model in new[] { "gpt2", "bert" }
        select new object[] { method, model };

    [Theory]
    [MemberData(nameof(All))]
    public void AMethodHasARecipeThatDiffersFromTheBaselineInItAlone(string method, string model)
    {
        Recipe recipe = RecipeReader.Read(Path.Combine(RepositoryRoot.Find(), "recipes", "methods", model, $"{method}.yaml"));
        Recipe baseline = RecipeReader.Read(
            Path.Combine(RepositoryRoot.Find(), "recipes", model == "bert" ? "bert-mini-scratch.yaml" : "gpt2-mini-scratch.yaml"));
        Assert.Equal(method, recipe.Name);
        Assert.Equal(method, recipe.Method.Name);
        Recipe alike = recipe with { Name = baseline.Name, Method = baseline.Method, Checkpoint = baseline.Checkpoint, Logging = baseline.Logging };
        Assert.DoesNotContain(
            RecipeDifference.Describe(baseline, alike),
            difference => !difference.StartsWith("model.intermediate_size", StringComparison.Ordinal));
        Assert.Equal(recipe.Model.HiddenSize * 4, recipe.Model.FfnWidth);

        // A key that is left to the method says so by its absence; of the rest, each carries its comment.
        string[] lines = File.ReadAllLines(Path.Combine(RepositoryRoot.Find(), "recipes", "methods", model, $"{method}.yaml"));
        IEnumerable<string> keys = lines.SkipWhile(line => line != "method:").Skip(2).TakeWhile(line => line.StartsWith("  ", StringComparison.Ordinal));
        Assert.All(keys, line => Assert.Contains("  # ", line, StringComparison.Ordinal));
    }
}
