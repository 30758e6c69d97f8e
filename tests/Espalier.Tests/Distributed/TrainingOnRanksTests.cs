using Espalier.Configuration;
using Espalier.Optimization;
using Espalier.Tests.Data;
using Espalier.Tests.Growth;
using Espalier.Tests.Training;
using Espalier.Training;

namespace Espalier.Tests.Distributed;

/// <summary>Runs that grow twice, on ranks: the same result as one process, and one ending for all.</summary>
public sealed class TrainingOnRanksTests : IDisposable
{
    private readonly TemporaryFolder _folder = new(inMemory: true);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("adamw")]
    [InlineData("muon")]
    public void TwoRanksOfOneMicroBatchEndInTheBitsOfOneProcess(string optimizer)
    {
        Recipe recipe = optimizer == "muon" ? TinyRun.Recipe with { Optimizer = new MuonConfig() } : TinyRun.Recipe;
        TinyRun.Go(_folder.File("one"), recipe);
        Assert.All(Go(2, recipe, "two"), Assert.Null);
        TinyRun.SameEnd(_folder.File("one"), _folder.File("two"));

        var one = new MetricsTable(_folder.File("one"));
        var two = new MetricsTable(_folder.File("two"));
        string[] columns = [.. MetricsTable.Standing, .. MetricsTable.Means];
        Assert.Equal(one.Rows.Select(row => MetricsTable.Cells(row, columns)), two.Rows.Select(row => MetricsTable.Cells(row, columns)));
    }

    /// <summary>Each rank executes layers of its own, frozen, dropped or in another order; what none trains gets no gradient.</summary>
    [Theory]
    [InlineData("pld")]
    [InlineData("raptr")]
    [InlineData("random-ltd")]
    [InlineData("mslt")]
    public void MethodsThatRunPartsOfAModelDoSoOnRanks(string method)
    {
        Recipe recipe = TinyRun.Recipe with { Method = EveryMethod.Of(method).Resolve(TinyRun.Recipe.Model) };
        TinyRun.Go(_folder.File("one"), recipe);
        Assert.All(Go(2, recipe, "two"), Assert.Null);
        TinyRun.SameEnd(_folder.File("one"), _folder.File("two"));
    }

    /// <summary>A sum of four may be added in another order: equal to rounding, and to the bit from run to run.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void SeveralMicroBatchesOrRanksEndWithinRounding(int ranks)
    {
        Recipe recipe = WithMicroBatches(4);
        TinyRun.Go(_folder.File("one"), recipe);
        Assert.All(Go(ranks, recipe, "ranks"), Assert.Null);
        Assert.All(Go(ranks, recipe, "again"), Assert.Null);
        TinyRun.SameEnd(_folder.File("ranks"), _folder.File("again"));

        double[] one = Losses("one"), several = Losses("ranks");
        Near.Equal(one, several, 1e-5);
    }

    [Fact]
    public void TheMaskedTokensOfABertAreThoseOfOneProcess()
    {
        using var data = new TemporaryFolder();
        Espalier.Data.Dataset words = TinyRun.PrepareWordPieces(data);
        Recipe recipe = TinyRun.Recipe with
        {
            Model = new Espalier.Models.BertConfig { Layers = 4, HiddenSize = 16, Heads = 2, ContextLength = 16 },
            Data = new Espalier.Data.DataConfig { Path = words.Folder },
            Training = TinyRun.Recipe.Training with { Length = Duration.Steps(16) },
        };
        TinyRun.Go(_folder.File("one"), recipe, data: words);
        Assert.All(Go(2, recipe, "two"), Assert.Null);
        TinyRun.SameEnd(_folder.File("one"), _folder.File("two"), 16);
    }

    /// <summary>A signal to any rank saves on all; another number of ranks, one here, goes on to the same end.</summary>
    [Fact]
    public void StoppedByOneRankItGoesOnWithAnotherNumberOfThem()
    {
        TinyRun.Go(_folder.File("one"), TinyRun.Recipe);
        using var stop = new CancellationTokenSource();
        Exception?[] ends = RanksOfThreads.Go(2, ranks =>
        {
            RunResult result = TrainingRun.Run(
                TinyRun.Recipe,
                _folder.File("run"),
                progress =>
                {
                    if (ranks.Rank == 1 && progress.Step == 11)
                    {
                        stop.Cancel();
                    }

                    if (ranks.Rank == 0 && progress.Activity == TrainingActivity.Saving)
                    {
                        Thread.Sleep(300);
                    }
                },
                ranks.Rank == 1 ? stop.Token : CancellationToken.None,
                new RunOptions { Ranks = ranks });
            Assert.Equal(RunEnd.Stopped, result.End);

            // However long rank 0 saves, no rank has left before: launchers kill the others then.
            Assert.Equal(TinyRun.Checkpoint(_folder.File("run"), 11), RunDirectory.LatestCheckpointOf(_folder.File("run")));
        });
        Assert.All(ends, Assert.Null);
        Assert.True(TinyRun.Go(_folder.File("run"), TinyRun.Recipe));
        TinyRun.SameEnd(_folder.File("one"), _folder.File("run"));
    }

    [Fact]
    public void AFinishedRunIsProlongedByRanksAsByOneProcess()
    {
        Recipe shorter = (TinyRun.Recipe with
        {
            LearningRate = new LearningRateConfig
            {
                Peak = 1e-2, Schedule = LearningRateSchedule.Wsd, Warmup = Duration.Steps(3), Decay = Duration.Steps(0),
            },
        }).Resolve();
        Recipe longer = shorter with { Training = shorter.Training with { Length = Duration.Steps(30) } };
        TinyRun.Go(_folder.File("one"), shorter);
        TrainingRun.Run(longer, _folder.File("one"), options: new RunOptions { Prolong = true });
        Assert.All(Go(2, shorter, "two"), Assert.Null);
        Assert.All(
            RanksOfThreads.Go(2, ranks => TrainingRun.Run(
                longer, _folder.File("two"), options: new RunOptions { Prolong = true, Ranks = ranks })),
            Assert.Null);
        TinyRun.SameEnd(_folder.File("one"), _folder.File("two"), 30);
    }

    [Fact]
    public void AFinishedRunIsLeftAsItIs()
    {
        Assert.All(Go(2, TinyRun.Recipe, "run"), Assert.Null);
        Dictionary<string, string> before = TinyRun.Files(_folder.File("run"));
        Assert.All(
            RanksOfThreads.Go(2, ranks => Assert.Equal(
                RunEnd.ReachedBefore,
                TrainingRun.Run(TinyRun.Recipe, _folder.File("run"), options: new RunOptions { Ranks = ranks }).End)),
            Assert.Null);
        Assert.Equal(before, TinyRun.Files(_folder.File("run")));
    }

    [Fact]
    public void ARankWithAnotherRecipeIsRefusedBeforeAnythingIsWritten()
    {
        UserErrorException told = RanksOfThreads.Told(RanksOfThreads.Go(2, ranks => TrainingRun.Run(
            ranks.IsFirst ? TinyRun.Recipe : TinyRun.Recipe with { Seed = 8 }, _folder.File("run"), options: new RunOptions { Ranks = ranks })));
        Assert.Contains("seed: 7 on rank 0 (", told.Message, StringComparison.Ordinal);
        Assert.Contains("8 on rank 1 (", told.Message, StringComparison.Ordinal);
        Assert.Single(told.Message.Split('\n').Skip(1));
        Assert.False(Directory.Exists(_folder.File("run")));
    }

    [Fact]
    public void MicroBatchesThatCannotBeSharedAreRefusedOnce()
    {
        UserErrorException told = RanksOfThreads.Told(Go(3, TinyRun.Recipe, "run"));
        Assert.Equal("training.gradient_accumulation is 2: 3 ranks cannot share 2 micro-batches evenly.", told.Message);
        Assert.Contains("gradient_accumulation: 3 and micro_batch: 2", told.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void AnErrorOnOneRankInMidRunEndsAllAndTheLastCheckpointIsWhole()
    {
        TinyRun.Go(_folder.File("one"), TinyRun.Recipe);
        UserErrorException told = RanksOfThreads.Told(RanksOfThreads.Go(2, ranks => TrainingRun.Run(
            TinyRun.Recipe,
            _folder.File("run"),
            progress =>
            {
                if (ranks.Rank == 1 && progress.Step == 10)
                {
                    throw new IOException("the socket is gone");
                }
            },
            options: new RunOptions { Ranks = ranks })));
        Assert.StartsWith("On rank 1 (", told.Message, StringComparison.Ordinal);
        Assert.EndsWith(": the socket is gone", told.Message, StringComparison.Ordinal);
        Assert.Equal(TinyRun.Checkpoint(_folder.File("run"), 8), RunDirectory.LatestCheckpointOf(_folder.File("run")));
        Assert.All(Go(2, TinyRun.Recipe, "run"), Assert.Null);
        TinyRun.SameEnd(_folder.File("one"), _folder.File("run"));
    }

    [Fact]
    public void ADivergingRunNamesTheRankOfTheMicroBatch()
    {
        // As in a single process, decay by lr * decay = 1000 makes matrices a thousand times as large with every step.
        Recipe recipe = TinyRun.Recipe with
        {
            LearningRate = new LearningRateConfig { Peak = 1e3, Warmup = Duration.Steps(0) },
            Optimizer = new AdamWConfig { WeightDecay = 1 },
        };
        UserErrorException told = RanksOfThreads.Told(Go(2, recipe, "run"));
        Assert.Matches(@"^The run diverged at step \d+: (the loss of micro-batch [01] is \S+, on rank [01] \(.+\)|the gradient norm is \S+)\. ", told.Message);
    }

    private Exception?[] Go(int size, Recipe recipe, string run) => RanksOfThreads.Go(
        size, ranks => TrainingRun.Run(recipe, _folder.File(run), options: new RunOptions { Ranks = ranks }));

    private static Recipe WithMicroBatches(int count) => TinyRun.Recipe with
    {
        Training = TinyRun.Recipe.Training with { GradientAccumulation = count },
    };

    private double[] Losses(string run) =>
        [.. new MetricsTable(_folder.File(run)).Rows.Select(row => MetricsTable.Number(row, "train_loss"))];
}
