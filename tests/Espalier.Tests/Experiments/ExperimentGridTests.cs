using Espalier.Experiments;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Tests.Data;
using Espalier.Tests.Training;
using Espalier.Training;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Experiments;

public sealed class ExperimentGridTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private ExperimentGrid Grid(string arms = TinyExperiment.Arms, string more = "", string budgets = "[3e7, 6e7]") =>
        new(ExperimentFile.Read(TinyExperiment.Write(_folder, arms, more, budgets)));

    [Fact]
    public void ArmsAreTheRecipeWithWhatTheySet()
    {
        ExperimentGrid grid = Grid(more: "target: 4 layers");
        Assert.Equal(["1 layer", "4 layers", "grown"], grid.Arms.Select(arm => arm.Name));
        Assert.Equal([true, true, false], grid.Arms.Select(arm => arm.IsNeverGrown));
        Assert.Equal([5e-3, 1e-2], grid.Arms[0].LearningRates);
        Assert.Equal([1e-2], grid.Arms[1].LearningRates);

        ExperimentRun run = grid.Run(grid.Arms[2], 3e7, 5e-3, 2);
        Assert.Equal((2UL, 5e-3, 1, "grown"), (run.Recipe.Seed, run.Recipe.LearningRate.Peak, run.Recipe.Training.GradientAccumulation, run.Recipe.Name));
        Assert.Equal([1, 4], Assert.IsType<ProgressiveConfig>(run.Recipe.Method).Stages);
        Assert.Equal("tiny", grid.Config.Name);
    }

    /// <summary>A run is the longest that the budget lasts for, by the ledger of what training really charges.</summary>
    [Fact]
    public void RunsSpendTheirBudgetAndNotAnUpdateMore()
    {
        ExperimentGrid grid = Grid(budgets: "[3e7]");
        foreach (GridArm arm in grid.Arms)
        {
            Prop.ForAll(Gen.Choose(20, 400).Select(hundreds => hundreds * 1e6).ToArbitrary(), budget =>
            {
                ExperimentRun run = grid.Run(arm, budget, 1e-2, 1);
                ModelConfig model = run.Recipe.Model with { VocabularySize = TinyRun.Data.VocabularySize };
                double longer = new RunPlan(
                    run.Recipe with { Training = run.Recipe.Training with { Length = Espalier.Configuration.Duration.Steps(run.Steps + 1) } },
                    model).Stages(2000).Sum(stage => stage.Flops.Total);
                Assert.InRange(run.ExpectedFlops, 0, budget);
                Assert.True(longer > budget, $"{arm.Name}: {run.Steps + 1} steps would cost {longer} of {budget}");
            }).Check(Config.QuickThrowOnFailure.WithMaxTest(20));
        }

        ExperimentRun made = grid.Run(grid.Arms[2], 3e7, 1e-2, 1);
        TrainingRun.Run(made.Recipe, made.FolderIn(_folder.File("runs")));
        FinishedRun finished = made.ResultIn(_folder.File("runs"))!;
        Assert.Equal(made.ExpectedFlops, finished.Cost.Flops, tolerance: 1);
    }

    /// <summary>Trials and learned maps are paid out of the budget, and a loss that asks for growth early breaks none.</summary>
    [Theory]
    [InlineData("lag, stages: [n_layer=1, n_layer=4], boundaries: [50 %], trial: 2 steps, operators: [stack, fresh-layers]", false)]
    [InlineData("ligo, stages: [n_layer=1 n_embd=8, n_layer=4 n_embd=16], boundaries: [50 %], map_steps: 3", false)]
    [InlineData("grow, stages: [n_layer=1 n_embd=8, n_layer=4 n_embd=16], boundaries: [50 %], operators: [ligo], moments: reset", false)]
    [InlineData("staged-training, stages: [n_layer=2, n_layer=4], boundaries: [plateau 0.99 or 90 %], rewarm: 1 steps", true)]
    public void NoMethodSpendsMoreThanItsBudget(string method, bool waits)
    {
        const double Budget = 1e9;
        ExperimentGrid grid = Grid($$"""
            arms:
              4 layers: {}
              grown: {method: {name: {{method}}}, training.gradient_accumulation: 2}
            """, budgets: "[1e9]");
        ExperimentRun run = grid.Run(grid.Arms[1], Budget, 1e-2, 1);
        TrainingRun.Run(run.Recipe, run.FolderIn(_folder.File("runs")));
        double spent = run.ResultIn(_folder.File("runs"))!.Cost.Flops;
        var plan = new RunPlan(run.Recipe, run.Recipe.Model with { VocabularySize = TinyRun.Data.VocabularySize });
        double atLatest = plan.Stages(2000).Sum(stage => stage.Flops.Total);
        Assert.InRange(run.ExpectedFlops, Budget * 0.9, Budget);
        if (waits)
        {
            Assert.InRange(spent, atLatest + 1, run.ExpectedFlops);
        }
        else
        {
            Assert.Equal(run.ExpectedFlops, spent, tolerance: 1);
            Assert.Equal(spent, atLatest, tolerance: 1);
        }
    }

    /// <summary>Runs are told apart by what they do: not by their arm's name, nor by the way to their data.</summary>
    [Fact]
    public void ARunIsItsResolvedRecipeAndItsData()
    {
        ExperimentGrid grid = Grid();
        ExperimentGrid renamed = Grid("arms: {shallow: {model: {n_layer: 1}}}");
        ExperimentRun run = grid.Run(grid.Arms[0], 3e7, 1e-2, 1), same = renamed.Run(renamed.Arms[0], 3e7, 1e-2, 1);
        Assert.Equal(run.Key, same.Key);
        Assert.NotEqual(run.FolderName, same.FolderName);
        Directory.CreateDirectory(_folder.File($"runs/{run.FolderName}"));
        Assert.Equal(_folder.File($"runs/{run.FolderName}"), same.FolderIn(_folder.File("runs")));

        Recipe elsewhere = run.Recipe with { Data = run.Recipe.Data with { Path = "elsewhere" } };
        Assert.Equal(run.Key, ExperimentRun.KeyOf(elsewhere, TinyRun.Data.Inputs));
        Assert.NotEqual(run.Key, ExperimentRun.KeyOf(run.Recipe, "other data"));
        Assert.NotEqual(run.Key, grid.Run(grid.Arms[0], 3e7, 1e-2, 2).Key);
        Assert.NotEqual(run.Key, grid.Run(grid.Arms[0], 6e7, 1e-2, 1).Key);
    }

    /// <summary>A run of an earlier version, in which a default was another, has the key of today's.</summary>
    [Fact]
    public void ARunOfAnotherRecipeIsNotTakenForItsNamesake()
    {
        ExperimentGrid grid = Grid(budgets: "[3e7]");
        string pool = _folder.File("runs");
        ExperimentRun run = grid.Run(grid.Arms[0], 3e7, 1e-2, 1);
        MadeUpRun.Write(run, pool, "1", ("2.5", "3e7,0,0"));
        string folder = run.FolderIn(pool);
        Assert.Equal(folder, Assert.Single(Directory.GetDirectories(pool)));
        Assert.NotNull(run.ResultIn(pool));
        Assert.Empty(new ExperimentRunner(grid, pool).LeftAlone);

        ExperimentRun earlier = run with { Recipe = run.Recipe with { Optimizer = ((AdamWConfig)run.Recipe.Optimizer) with { Epsilon = 1e-5 } } };
        File.WriteAllText(Path.Combine(folder, "recipe.yaml"), RecipeWriter.Write(earlier.TrainedRecipe));
        Assert.Equal(folder + "-2", run.FolderIn(pool));
        Assert.Null(run.ResultIn(pool));
        string line = Assert.Single(new ExperimentRunner(grid, pool).LeftAlone);
        Assert.StartsWith(folder, line, StringComparison.Ordinal);
        Assert.Contains("optimizer.epsilon: 1e-05 there, 1e-08 here", line, StringComparison.Ordinal);
        MadeUpRun.Write(run, pool, "1", ("2.6", "3e7,0,0"));
        Assert.Equal(2.6, run.ResultIn(pool)!.Loss);
    }

    [Theory]
    [InlineData("arms: {grown: {method: {name: progressive, stages: [1, 4], boundaries: [50 %]}}}", "", "[3e7]", "No arm trains from scratch")]
    [InlineData("arms: {4 layers: {}}", "", "[1e3]", "4 layers cannot fit the budget")]
    [InlineData("arms: {4 layers: {seed: 3}}", "", "[3e7]", "4 layers sets seed")]
    [InlineData("arms: {4 layers: {data.path: other}}", "", "[3e7]", "4 layers sets data")]
    [InlineData("arms: {4 layers: {training: {length: 3 steps}}}", "", "[3e7]", "4 layers sets training.length")]
    [InlineData("arms: {4 layers: {learning_rate.schedule: constant}}", "", "[3e7]", "does not decay")]
    [InlineData("arms: {4 layers: {learning_rate: {schedule: wsd, decay: 0 %}}}", "", "[3e7]", "does not decay")]
    [InlineData("arms: {a: {}, b: {model.n_positions: 8}}", "", "[3e7]", "a and b cannot be compared")]
    [InlineData("arms: {a: {}, b: {model.n_layers: 8}}", "", "[3e7]", "The arm b")]
    [InlineData("arms: {a: {learning_rate.peak: []}}", "", "[3e7]", "The arm a: learning_rate.peak")]
    [InlineData("arms: {}", "", "[3e7]", "arms: has no arm")]
    [InlineData("arms: [a, b]", "", "[3e7]", "write a name for each arm")]
    [InlineData("arms: {a: {}}", "target: c", "[3e7]", "target: `c`")]
    [InlineData("arms: {a: {}}", "", "[]", "budgets")]
    [InlineData("arms: {a: {}}", "", "[-1]", "budgets")]
    public void WhatIsNotRightIsSaidByTheArmsName(string arms, string more, string budgets, string says)
    {
        var error = Assert.Throws<UserErrorException>(() => Grid(arms, more, budgets));
        Assert.Contains(says, error.Message + error.Hint, StringComparison.Ordinal);
    }
}
