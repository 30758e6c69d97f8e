using Espalier.Configuration;
using Espalier.Optimization;
using Espalier.Planning;
using Espalier.Tests.Data;
using Espalier.Tests.Training;
using Espalier.Training;

namespace Espalier.Tests.Planning;

/// <summary>The two runs of a pilot, one after the other.</summary>
public sealed class PilotRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private PilotPlan Pilot() => new(
        TinyRun.Recipe with
        {
            Training = TinyRun.Recipe.Training with { Length = Duration.Steps(60) },
            LearningRate = new LearningRateConfig { Peak = 1e-3, Warmup = Duration.Steps(4) },
        },
        _folder.File("pilot"), new PilotOptions { Length = Duration.Steps(12) });

    [Fact]
    public void ItGoesOnWhereItWas()
    {
        // A signal comes in the third step of the second run.
        using var stop = new CancellationTokenSource();
        List<RunResult> ended = [];
        bool isDone = Pilot().Run(
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
        Assert.Equal([_folder.File("pilot/fixed"), _folder.File("pilot/grown")], ended.Select(result => result.Folder));

        ended.Clear();
        Assert.True(Pilot().Run(null, ended.Add));
        Assert.Equal([RunEnd.ReachedBefore, RunEnd.Reached], ended.Select(result => result.End));
        Assert.All(ended, result => Assert.Equal(12, result.TotalSteps));
    }

    /// <summary>A stop that comes while one run is on its way lets no other begin.</summary>
    [Fact]
    public void AfterAStopNoOtherRunBegins()
    {
        using var stop = new CancellationTokenSource();
        Assert.False(Pilot().Run((_, _) => stop.Cancel(), null, stop.Token));
        Assert.True(Directory.Exists(_folder.File("pilot/fixed")));
        Assert.False(Directory.Exists(_folder.File("pilot/grown")));
    }
}
