using System.Text.Json.Nodes;
using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Optimization;
using Espalier.Tests.Data;
using Espalier.Training;

namespace Espalier.Tests.Training;

/// <summary>A run that is prolonged goes on from its last checkpoint by the other recipe; or it is refused, and stays as it was.</summary>
public sealed class ProlongTests : IDisposable
{
    private readonly TemporaryFolder _folder = new(inMemory: true);

    public void Dispose() => _folder.Dispose();

    private string Run => _folder.File("run");

    /// <summary>A rate at its peak from step 3 on, which decays in the last steps; growth at 6 and 13.</summary>
    private static Recipe Wsd(int steps, int decay, MethodConfig? method = null) => (TinyRun.Recipe with
    {
        Training = TinyRun.Recipe.Training with { Length = Duration.Steps(steps) },
        LearningRate = new LearningRateConfig
        {
            Peak = 1e-2, Schedule = LearningRateSchedule.Wsd, Warmup = Duration.Steps(3), Decay = Duration.Steps(decay),
        },
        Method = method ?? TinyRun.Apollo,
        Checkpoint = new CheckpointConfig { Every = Duration.Steps(8), Keep = 2, At = [Duration.Percent(50)] },
    }).Resolve();

    [Fact]
    public void ARunThatHasNotDecayedBecomesTheLongerRun()
    {
        string straight = _folder.File("straight");
        Assert.True(TinyRun.Go(straight, Wsd(40, decay: 4)));
        Assert.True(TinyRun.Go(Run, Wsd(24, decay: 0)));
        Assert.Equal(RunEnd.Reached, Prolong(Wsd(40, decay: 4)));
        TinyRun.SameEnd(straight, Run, 40);
    }

    /// <summary>Stopped right after it was prolonged, and later; the same command goes on, and so does one without the word.</summary>
    [Theory]
    [InlineData(24, "learning_rate.decay=4 steps")]
    [InlineData(9, "learning_rate.decay=4 steps")]
    [InlineData(24, "learning_rate.peak=3e-3")]
    [InlineData(16, "learning_rate.schedule=cosine")]
    public void AProlongedRunEndsTheSameHoweverOftenItIsStopped(int begun, string change)
    {
        Recipe recipe = Wsd(24, decay: 6), longer = With(recipe, "training.length=40 steps", change);
        string whole = _folder.File("whole");
        foreach (string run in new[] { whole, Run })
        {
            Assert.Equal(begun == 24, TinyRun.Go(run, recipe, stopAfter: begun == 24 ? long.MaxValue : begun));
        }

        Assert.Equal(RunEnd.Reached, Prolong(longer, run: whole));
        Assert.Equal(RunEnd.Stopped, Prolong(longer, stopAfter: begun + 1));
        Assert.Equal(RunEnd.Stopped, Prolong(longer, stopAfter: begun + 6));
        Assert.True(TinyRun.Go(Run, longer));
        TinyRun.SameEnd(whole, Run, 40);
        Assert.Equal(RunEnd.ReachedBefore, Prolong(longer));
    }

    /// <summary>What follows the advice of the warning is the very run of the longer recipe.</summary>
    [Fact]
    public void ARateThatRisesAgainIsSaidAndTheStableCheckpointNamed()
    {
        Recipe longer = Wsd(40, decay: 4);
        Assert.True(TinyRun.Go(Run, Wsd(24, decay: 6)));
        List<string> warnings = [];
        Assert.Equal(RunEnd.Reached, Prolong(longer, warn: warnings.Add));
        string warning = Assert.Single(warnings);
        Assert.Contains("the learning rate rises again at step 24, from 0.00167 to 0.01", warning, StringComparison.Ordinal);
        Assert.EndsWith($"--from {Run}@16", warning, StringComparison.Ordinal);

        string other = _folder.File("other"), straight = _folder.File("straight"), again = _folder.File("again");
        Assert.True(TinyRun.Go(again, Wsd(24, decay: 6)));
        Assert.True(TrainingRun.Run(longer, other, options: new RunOptions { From = $"{again}@16" }).IsFinished);
        Assert.True(TinyRun.Go(straight, longer));
        TinyRun.SameEnd(straight, other, 40);
    }

    [Fact]
    public void BothRecipesAndTheStepAreKept()
    {
        Recipe recipe = Wsd(24, decay: 6), longer = Wsd(40, decay: 4), longest = Wsd(48, decay: 4);
        Assert.True(TinyRun.Go(Run, recipe));
        Prolong(longer, stopAfter: 30);
        Prolong(longest);
        JsonArray starts = JsonNode.Parse(File.ReadAllText(Path.Combine(Run, "run.json")))!["starts"]!.AsArray();
        Assert.Equal([24, 30], starts.Select(start => (int)start!["step_before"]!));
        Assert.Equal(
            ["training.length: 24 steps before, 40 steps from here on", "learning_rate.decay: 6 steps before, 4 steps from here on"],
            starts[0]!["prolonged"]!.AsArray().Select(change => (string)change!));
        Assert.Equal(RecipeWriter.Write(longest), File.ReadAllText(Path.Combine(Run, "recipe.yaml")));
        Assert.Equal(RecipeWriter.Write(recipe), File.ReadAllText(Path.Combine(Run, "recipe-until-00000024.yaml")));
        Assert.Equal(RecipeWriter.Write(longer), File.ReadAllText(Path.Combine(Run, "recipe-until-00000030.yaml")));

        // Half of the first length, half of the second, half of the third.
        Assert.All(new[] { 12, 24 }, step => Assert.True(Directory.Exists(TinyRun.Checkpoint(Run, step))));
    }

    /// <summary>Nobody trained a prolonged run by its last recipe alone: it is the trunk of those only whose rates were the same all along.</summary>
    [Fact]
    public void AProlongedRunIsATrunkOnlyOfWhatSharesItsPast()
    {
        Recipe recipe = Wsd(24, decay: 6), longer = Wsd(40, decay: 4);
        string straight = _folder.File("straight");
        Assert.True(TinyRun.Go(Run, recipe));
        Assert.Equal(RunEnd.Stopped, Prolong(longer, stopAfter: 30));
        var exception = Assert.Throws<UserErrorException>(
            () => TrainingRun.Run(longer, _folder.File("branch"), options: new RunOptions { From = $"{Run}@30" }));
        Assert.Contains("prolonged at step 24, and before it the learning rate of step 19 is", exception.Message, StringComparison.Ordinal);

        // Its end before was trained by the first recipe.
        Assert.Contains(
            "the learning rate of step 19 is",
            Assert.Throws<UserErrorException>(
                () => TrainingRun.Run(longer, _folder.File("branch"), options: new RunOptions { From = $"{Run}@24" })).Message,
            StringComparison.Ordinal);
        Assert.True(TinyRun.Go(straight, longer));
        Assert.True(TrainingRun.Run(longer, _folder.File("early"), options: new RunOptions { From = $"{Run}@12" }).IsFinished);
        TinyRun.SameEnd(straight, _folder.File("early"), 40);

        string undecayed = _folder.File("undecayed");
        Assert.True(TinyRun.Go(undecayed, Wsd(24, decay: 0)));
        Assert.Equal(RunEnd.Stopped, Prolong(Wsd(44, decay: 4), stopAfter: 30, run: undecayed));
        Assert.True(TrainingRun.Run(longer, _folder.File("late"), options: new RunOptions { From = $"{undecayed}@30" }).IsFinished);
        TinyRun.SameEnd(straight, _folder.File("late"), 40);
    }

    public static TheoryData<string[], string, string> Refusals => new()
    {
        { ["training.length=20 steps"], "has 24 steps; 20 would shorten it", "--from" },
        { ["learning_rate.peak=1e-3"], "has done all of its 24 steps", "Raise training.length" },
        { ["training.length=40 steps", "seed=8"], "seed: 7 in the run, 8 here", "Keys that may change" },
        { ["training.length=40 steps", "model.n_layer=8", "method.stages=[1,2,8]"], "model.n_layer: 4 in the run, 8 here", "Keys that may change" },
        { ["training.length=40 steps", "training.micro_batch=6"], "training.micro_batch: 3 in the run, 6 here", "Keys that may change" },
        { ["training.length=40 steps", "optimizer.weight_decay=0.1"], "optimizer.weight_decay: 0.01 in the run, 0.1 here", "Keys that may change" },
        { ["training.length=40 steps", "method.boundaries=[6 steps, 14 steps]"], "it grows otherwise at step 13", "the run has grown at step 6, 13" },
        { ["training.length=40 steps", "method.sampler=uniform"], "other layers are executed at step", "in steps" },
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public void WhatWouldMakeThePastAnotherIsRefusedAndNothingIsWritten(string[] keys, string says, string hint) =>
        Refused(Wsd(24, decay: 6), With(Wsd(24, decay: 6), keys), says, hint);

    [Fact]
    public void GrowthAtASharesOfTheLengthIsRefusedWithItsSteps()
    {
        Recipe shares = Wsd(24, decay: 6, TinyRun.Apollo with { Boundaries = [Duration.Percent(25), Duration.Percent(50)] });
        Refused(shares, With(shares, "training.length=40 steps"), "method.boundaries: [25 %, 50 %] of 24 steps in the run, of 40 steps here", "the run has grown at step 6, 12");
        Assert.Equal(RunEnd.Reached, Prolong(With(shares, "training.length=40 steps", "method.boundaries=[6 steps, 12 steps]")));
    }

    [Fact]
    public void WhatIsNoRunIsSaid()
    {
        Assert.Contains("is no run that could be prolonged", Assert.Throws<UserErrorException>(() => Prolong(Wsd(40, 4))).Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Run));
        Assert.False(TinyRun.Go(Run, Wsd(24, 6), stopAfter: 3));
        Assert.Contains(
            "either prolonged or begun from another",
            Assert.Throws<UserErrorException>(() => TrainingRun.Run(
                Wsd(40, 4), Run, options: new RunOptions { Prolong = true, From = Run })).Message,
            StringComparison.Ordinal);
    }

    private void Refused(Recipe recipe, Recipe other, string says, string hint)
    {
        Assert.True(TinyRun.Go(Run, recipe));
        Dictionary<string, string> files = TinyRun.Files(Run);
        var exception = Assert.Throws<UserErrorException>(() => Prolong(other));
        Assert.Contains(says, exception.Message, StringComparison.Ordinal);
        Assert.Contains(hint, exception.Hint, StringComparison.Ordinal);
        Assert.Equal(files, TinyRun.Files(Run));
    }

    private static Recipe With(Recipe recipe, params string[] keys) => RecipeReader.Parse(RecipeWriter.Write(recipe), "tiny.yaml", keys);

    private RunEnd Prolong(Recipe recipe, long stopAfter = long.MaxValue, string? run = null, Action<string>? warn = null)
    {
        using var stop = new CancellationTokenSource();
        return TrainingRun.Run(
            recipe, run ?? Run,
            progress =>
            {
                if (progress.Step >= stopAfter)
                {
                    stop.Cancel();
                }
            },
            stop.Token, new RunOptions { Prolong = true, Warn = warn }).End;
    }
}
