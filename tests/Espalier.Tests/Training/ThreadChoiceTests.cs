using System.Text.Json.Nodes;
using Espalier.Tests.Data;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Tests.Training;

/// <summary>How many threads a run has: what is said comes first, then what it had, then what is free.</summary>
[Collection(LibtorchGenerator.Name)]
public sealed class ThreadChoiceTests : IDisposable
{
    private readonly TemporaryFolder _folder = new(inMemory: true);
    private readonly int _threads = Engine.Threads;

    public void Dispose()
    {
        Engine.Threads = _threads;
        _folder.Dispose();
    }

    [Theory]
    [InlineData(null, null, null, 8, 8, 0, 8, null)]
    [InlineData(null, null, null, 8, 8, 3, 5, "this run takes 5 of the 8 that it may use")]
    [InlineData(null, null, null, 2, 2, 9, 1, "keep 9 threads at work on the 2 processors")]
    [InlineData(null, null, null, 2, 64, 30, 2, null)]
    [InlineData(null, null, null, 2, 64, 63, 1, "this run takes 1 of the 2")]
    [InlineData(null, null, 4, 8, 8, 0, 4, null)]
    [InlineData(null, null, 4, 8, 8, 6, 4, "the 4 threads of this run will wait for each other, and 2 may be faster (OMP_NUM_THREADS=2)")]
    [InlineData(null, null, 4, 2, 2, 0, 2, null)]
    [InlineData(null, 3, 4, 8, 8, 0, 3, null)]
    [InlineData(2, 3, 4, 8, 8, 0, 2, null)]
    [InlineData(2, null, null, 2, 2, 1, 2, "1 may be faster (training.threads=1)")]
    [InlineData(1, null, null, 2, 2, 9, 1, null)]
    public void WhatIsSaidComesFirstThenWhatWasThenWhatIsFree(
        int? recipe, int? environment, int? last, int allowed, int all, int busy, int expected, string? says)
    {
        (int threads, string? warning) = ThreadChoice.Decide(recipe, environment, last, allowed, new ProcessorUse(all, busy));
        Assert.Equal(expected, threads);
        Assert.Equal(says is null, warning is null);
        Assert.Contains(says ?? "", warning ?? "", StringComparison.Ordinal);
    }

    [Fact]
    public void AMachineThatDoesNotTellIsTakenWhole() => Assert.Equal((4, null), ThreadChoice.Decide(null, null, null, 4, null));

    [Theory]
    [InlineData("cpu  1 2 3\ncpu0 1 2\ncpu1 1 2\nprocs_running 4\n", 2, 3)]
    [InlineData("cpu  1 2 3\ncpu0 1 2\nprocs_running 0\n", 1, 0)]
    public void TheSystemTellsWhoWantsAProcessor(string stat, int all, int busy)
    {
        _folder.Write("proc/stat", stat);
        Assert.Equal(new ProcessorUse(all, busy), MachineRoom.Processors(_folder.Path));
    }

    [Theory]
    [InlineData("cpu  1 2 3\ncpu0 1 2\n")]
    [InlineData("procs_running 4\n")]
    [InlineData("cpu0 1\nprocs_running many\n")]
    public void ASystemThatDoesNotTellGivesNone(string stat)
    {
        Assert.Null(MachineRoom.Processors(_folder.Path));
        _folder.Write("proc/stat", stat);
        Assert.Null(MachineRoom.Processors(_folder.Path));
    }

    [Fact]
    public void TheRecipesNumberIsInForceForTheRunAloneAndRecorded()
    {
        Engine.Threads = 1;
        Recipe recipe = TinyRun.Recipe with { Training = TinyRun.Recipe.Training with { Threads = 2 } };
        string run = _folder.File("run");
        int during = 0;
        TrainingRun.Run(recipe, run, _ => during = Engine.Threads);
        Assert.Equal((2, 1), (during, Engine.Threads));
        JsonNode log = JsonNode.Parse(File.ReadAllText(Path.Combine(run, "run.json")))!;
        Assert.Equal(2, (int)log["starts"]![0]!["machine"]!["threads"]!);
    }
}
