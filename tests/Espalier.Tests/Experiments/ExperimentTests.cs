using Espalier.Experiments;
using Espalier.Growth;
using Espalier.Reporting;
using Espalier.Tests.Data;
using Espalier.Tests.Training;
using Espalier.Training;

namespace Espalier.Tests.Experiments;

public sealed class ExperimentTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ItRunsInOrderGoesOnWhereItWasAndComparesWithTheBaseline()
    {
        Recipe grown = TinyRun.Recipe with { Name = "grown" };
        Recipe scratch = grown with { Name = "scratch", Method = new ScratchConfig() };
        string folder = _folder.File("experiment");
        var experiment = new Experiment(folder, scratch, [grown]);
        Assert.Equal(["scratch", "grown"], experiment.Recipes.Select(recipe => recipe.Name));
        Assert.False(Path.Exists(folder));

        // A signal comes in the third step of the second run.
        using var stop = new CancellationTokenSource();
        var ended = new List<RunResult>();
        bool isDone = experiment.Run(
            (recipe, progress) =>
            {
                if (recipe.Name == "grown" && progress.Step == 3)
                {
                    stop.Cancel();
                }
            },
            ended.Add, stop.Token);
        Assert.False(isDone);
        Assert.Equal([RunEnd.Reached, RunEnd.Stopped], ended.Select(result => result.End));
        Assert.Equal([Path.Combine(folder, "scratch"), Path.Combine(folder, "grown")], ended.Select(result => result.Folder));

        ended.Clear();
        Assert.True(new Experiment(folder, scratch, [grown]).Run(null, ended.Add));
        Assert.Equal([RunEnd.ReachedBefore, RunEnd.Reached], ended.Select(result => result.End));
        Assert.All(ended, result => Assert.Equal(TinyRun.Steps, result.TotalSteps));

        RunComparison comparison = experiment.Compare();
        Assert.Equal("scratch", comparison.Baseline.Name);
        Assert.Equal(["scratch", "grown"], comparison.Runs.Select(run => run.Name));
        experiment.WriteReport(comparison, "Grown against scratch");
        Assert.Contains("<h1>Grown against scratch</h1>", File.ReadAllText(experiment.ReportFile), StringComparison.Ordinal);
    }

    /// <summary>A stop that comes while one run is on its way lets no other begin.</summary>
    [Fact]
    public void AfterAStopNoOtherRunBegins()
    {
        Recipe first = TinyRun.Recipe with { Name = "first" };
        var experiment = new Experiment(_folder.File("experiment"), first, [first with { Name = "second" }]);
        using var stop = new CancellationTokenSource();
        Assert.False(experiment.Run((_, _) => stop.Cancel(), null, stop.Token));
        Assert.True(Directory.Exists(experiment.FolderOf(first)));
        Assert.False(Directory.Exists(experiment.FolderOf(experiment.Recipes[1])));
    }

    [Fact]
    public void TwoRunsCannotHaveOneFolder()
    {
        Recipe recipe = TinyRun.Recipe;
        var error = Assert.Throws<UserErrorException>(() => new Experiment(_folder.File("x"), recipe, [recipe with { Seed = 8 }]));
        Assert.Contains($"'{recipe.Name}'", error.Message, StringComparison.Ordinal);
        Assert.NotNull(error.Hint);
    }
}
