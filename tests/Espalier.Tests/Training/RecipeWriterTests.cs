using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Optimization;
using Espalier.Training;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Training;

public class RecipeWriterTests
{
    [Fact]
    public void WhatIsWrittenReadsBackEqual() => Check.QuickThrowOnFailure(Prop.ForAll(
        Generators.Recipes.ToArbitrary(), recipe =>
        {
            Recipe read = RecipeReader.Parse(RecipeWriter.Write(recipe), "other.yaml");
            Assert.Empty(RecipeDifference.Describe(recipe, read));

            // The comparison goes by text; the records besides, less the lists that they compare by reference.
            Assert.Equal(Bare(recipe.Resolve().Method), Bare(read.Method));
            Assert.Equal(recipe with { Method = read.Method, Checkpoint = recipe.Checkpoint with { At = read.Checkpoint.At } }, read);
        }));

    private static MethodConfig Bare(MethodConfig method) => method switch
    {
        StagedDepthConfig staged => staged with { Stages = [], Boundaries = [] },
        CompoundGrowConfig compound => compound with { Stages = [], Boundaries = [], Lengths = [] },
        GrowConfig grow => grow with { Stages = [], Boundaries = [], Operators = [] },
        LagConfig lag => lag with { Stages = [], Boundaries = [], Operators = [] },
        StagedSizesConfig staged => staged with { Stages = [], Boundaries = [] },
        RaptrConfig raptr => raptr with { Stages = [], Boundaries = [] },
        _ => method,
    };

    [Fact]
    public void TheGeneratorKnowsEveryMethod() => Assert.Equal(
        ConfigVariants.TypesOf(typeof(MethodConfig)).Select(type => type.Name).Order(StringComparer.Ordinal),
        Generators.Recipes.Sample(1000).Select(recipe => recipe.Method.GetType().Name).Distinct().Order(StringComparer.Ordinal));

    [Fact]
    public void TheGeneratorKnowsEveryOptimizer() => Assert.Equal(
        ConfigVariants.TypesOf(typeof(OptimizerConfig)).Select(type => type.Name).Order(StringComparer.Ordinal),
        Generators.Recipes.Sample(100).Select(recipe => recipe.Optimizer.GetType().Name).Distinct().Order(StringComparer.Ordinal));

    [Fact]
    public void EveryKeyIsWritten()
    {
        Recipe recipe = Generators.Recipes.Sample(1).First();
        string yaml = RecipeWriter.Write(recipe);
        foreach ((string key, _) in ConfigKeys.Flatten(recipe))
        {
            Assert.Matches($@"(?m)^ *{key.Split('.')[^1]}: ", yaml);
        }
    }

    [Fact]
    public void DifferencesNameTheKeyAndBothValues()
    {
        Recipe recipe = Generators.Recipes.Sample(1).First() with { Seed = 1, Name = "a" };
        Recipe other = recipe with
        {
            Seed = 2,
            Training = recipe.Training with { MicroBatch = recipe.Training.MicroBatch + 1 },
            Method = recipe.Resolve().Method,
        };
        Assert.Equal(
            [
                "seed: 1 here, 2 there",
                $"training.micro_batch: {recipe.Training.MicroBatch} here, {other.Training.MicroBatch} there",
            ],
            RecipeDifference.Describe(recipe, other));
        Assert.Empty(RecipeDifference.Describe(recipe, recipe.Resolve()));
    }
}
