using Espalier.Configuration;
using Espalier.Training;

namespace Espalier.Tests.Training;

/// <summary>What is told of the keys of recipes.</summary>
public class RecipeKeysTests
{
    /// <summary>Every key of a recipe that shows them all, and of every method's.</summary>
    [Theory]
    [MemberData(nameof(Recipes))]
    public void EveryKeyIsExplained(string file)
    {
        Recipe recipe = RecipeReader.Read(file);
        foreach ((string key, _) in ConfigKeys.Flatten(recipe))
        {
            Assert.All(RecipeKeys.Of(key), help => Assert.True(help.Says.Length > 10, key));
        }
    }

    public static IEnumerable<object[]> Recipes => Directory
        .EnumerateFiles(Path.Combine(RepositoryRoot.Find(), "recipes"), "*.yaml", SearchOption.AllDirectories)
        .Where(file => !file.Contains("/experiments/", StringComparison.Ordinal) && !file.Contains("/tasks/", StringComparison.Ordinal))
        .Select(file => new object[] { file });

    [Fact]
    public void AKeySaysWhatItTakesAndWhichVariantsHaveIt()
    {
        KeyHelp hidden = Assert.Single(RecipeKeys.Of("model.hidden_size"));
        Assert.Equal(["bert", "llama", "qwen3"], hidden.Variants);
        Assert.True(hidden.IsRequired);
        Assert.Equal("a whole number, 1 to 1048576", hidden.Takes);
        Assert.Equal("width C of the residual stream.", hidden.Says);

        KeyHelp decay = Assert.Single(RecipeKeys.Of("optimizer.weight_decay"));
        Assert.Empty(decay.Variants);
        Assert.False(decay.IsRequired);
        Assert.Equal("adamw, muon, muon-nsgd, sgd", Assert.Single(RecipeKeys.Of("optimizer.name")).Takes);
        Assert.Contains(RecipeKeys.Of("method"), help => help.Key == "method.name" && help.Takes.Contains("apollo", StringComparison.Ordinal));
    }

    /// <summary>A record of somebody's own program, beside which no documentation lies: its keys are named all the same.</summary>
    [Fact]
    public void AKeyWithoutDocumentationIsNamedWithoutAText() => Assert.Equal(
        [("x", "a whole number", ""), ("y", "a whole number", "")],
        KeyHelp.Of(typeof(System.Drawing.Point)).Select(help => (help.Key, help.Takes, help.Says)));

    [Fact]
    public void WhatIsNoKeyIsNamedWithTheNearest()
    {
        var exception = Assert.Throws<UserErrorException>(() => RecipeKeys.Of("trainig"));
        Assert.Contains("training", exception.Hint, StringComparison.Ordinal);
    }
}
