using Espalier.Configuration;
using Espalier.Tests.Data;
using Espalier.Training;

namespace Espalier.Tests.Training;

/// <summary>Checkpoints that are written while the run trains on.</summary>
public sealed class BackgroundCheckpointTests : IDisposable
{
    private static readonly Recipe Recipe = TinyRun.Recipe with
    {
        Checkpoint = TinyRun.Recipe.Checkpoint with { Every = Duration.Steps(2), Keep = 100, Background = true },
    };

    private static readonly Recipe Waiting = Recipe with { Checkpoint = Recipe.Checkpoint with { Background = false } };

    private readonly TemporaryFolder _folder = new(inMemory: true);

    public void Dispose() => _folder.Dispose();

    /// <summary>The state of its step, though weights, moments and sizes change while it is written.</summary>
    [Fact]
    public void EveryOneIsAsIfTheRunHadWaited()
    {
        (string background, string waiting) = (_folder.File("background"), _folder.File("waiting"));
        Assert.True(TinyRun.Go(background, Recipe));
        Assert.True(TinyRun.Go(waiting, Waiting));
        for (long step = 2; step <= TinyRun.Steps; step += 2)
        {
            TinyRun.SameEnd(waiting, background, step);
            Checkpoint.Verify(TinyRun.Checkpoint(background, step));
        }

        Assert.Equal(TinyRun.Checkpoint(background, TinyRun.Steps), RunDirectory.LatestCheckpointOf(background));
    }

    [Theory]
    [InlineData(8)]
    [InlineData(11)]
    public void ARunThatIsStoppedHasItsLastOne(long step)
    {
        string run = _folder.File("run"), whole = _folder.File("whole");
        Assert.False(TinyRun.Go(run, Recipe, stopAfter: step));
        Assert.Equal(TinyRun.Checkpoint(run, step), RunDirectory.LatestCheckpointOf(run));
        Assert.True(TinyRun.Go(run, Recipe));
        Assert.True(TinyRun.Go(whole, Waiting));
        TinyRun.SameEnd(whole, run);
    }

    /// <summary>A file lies where the checkpoint of a step belongs.</summary>
    [Fact]
    public void OneThatCannotBeWrittenEndsTheRun()
    {
        string run = _folder.File("run"), whole = _folder.File("whole"), blocked = TinyRun.Checkpoint(run, 8);
        long last = 0;
        var error = Assert.Throws<UserErrorException>(() => TinyRun.Go(run, Recipe, hear: heard =>
        {
            last = heard.Step;
            if (heard is { Step: 7, Activity: TrainingActivity.Training })
            {
                File.WriteAllText(blocked, "");
            }
        }));
        Assert.Contains(blocked, error.Message, StringComparison.Ordinal);
        Assert.Contains("cannot be written", error.Message, StringComparison.Ordinal);
        Assert.Contains("goes on from the last complete checkpoint", error.Hint, StringComparison.Ordinal);

        // The next checkpoint waits for it at the latest.
        Assert.InRange(last, 8, 10);
        Assert.Equal(TinyRun.Checkpoint(run, 6), RunDirectory.LatestCheckpointOf(run));
        File.Delete(blocked);
        Assert.True(TinyRun.Go(run, Recipe));
        Assert.True(TinyRun.Go(whole, Waiting));
        TinyRun.SameEnd(whole, run);
    }

    [Fact]
    public void TheCopyCountsAsMemory()
    {
        using var background = new Trainer(Recipe, TinyRun.Data);
        using var waiting = new Trainer(Waiting, TinyRun.Data);
        (RunOutline own, RunOutline other) = (background.Outline(_folder.Path, 0), waiting.Outline(_folder.Path, 0));

        // Weights and AdamW's two moments.
        Assert.Equal(12 * own.Parameters, own.Memory - other.Memory);
    }
}
