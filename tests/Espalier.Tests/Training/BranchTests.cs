using Espalier.Configuration;
using Espalier.Data;
using Espalier.Growth;
using Espalier.Optimization;
using Espalier.Tests.Data;
using Espalier.Tests.Growth;
using Espalier.Training;

namespace Espalier.Tests.Training;

/// <summary>A run that goes on from a checkpoint of another ends bit for bit as one of its recipe that began at step 0; or it is refused.</summary>
public sealed class BranchTests : IClassFixture<BranchTests.Trunk>, IDisposable
{
    private readonly Trunk _trunk;
    private readonly TemporaryFolder _folder = new(inMemory: true);

    public BranchTests(Trunk trunk) => _trunk = trunk;

    public void Dispose() => _folder.Dispose();

    /// <summary>A run of 24 steps that grows at 6 and 13 and decays from 20 on; its checkpoints at 5, 11, 15 and 22 stay.</summary>
    public sealed class Trunk : IDisposable
    {
        private readonly TemporaryFolder _folder = new(inMemory: true);

        public Trunk() => Assert.True(TrainingRun.Run(Recipe, Path).IsFinished);

        public static Recipe Recipe { get; } = Stable(TinyRun.Steps, decay: 4, TinyRun.Apollo) with
        {
            Checkpoint = new CheckpointConfig
            {
                Every = Duration.Steps(10), Keep = 1, At = [Duration.Steps(5), Duration.Steps(11), Duration.Steps(15), Duration.Steps(22)],
            },
        };

        public string Path => _folder.File("trunk");

        public void Dispose() => _folder.Dispose();
    }

    private static Recipe Stable(int steps, int decay, MethodConfig method) => (TinyRun.Recipe with
    {
        Training = TinyRun.Recipe.Training with { Length = Duration.Steps(steps) },
        LearningRate = new LearningRateConfig
        {
            Peak = 1e-2, Schedule = LearningRateSchedule.Wsd, Warmup = Duration.Steps(3), Decay = Duration.Steps(decay),
        },
        Method = method,
        Evaluation = TinyRun.Recipe.Evaluation with { Every = Duration.Percent(50) },
        Checkpoint = new CheckpointConfig { Every = Duration.Percent(50) },
    }).Resolve();

    /// <summary>A shorter run and a longer one, before the growths, between them and after both.</summary>
    [Theory]
    [InlineData(5, 18, 6)]
    [InlineData(11, 18, 6)]
    [InlineData(15, 18, 3)]
    [InlineData(15, 16, 1)]
    [InlineData(5, 40, 20)]
    [InlineData(15, 40, 4)]
    [InlineData(24, 40, 4)]
    public void ADecayedRunIsTheStraightRunOfItsRecipe(int from, int steps, int decay)
    {
        // The trunk that is to go on beyond its own end must not have decayed by then.
        string trunk = _trunk.Path;
        if (from == TinyRun.Steps)
        {
            trunk = _folder.File("undecayed");
            Assert.True(TrainingRun.Run(Stable(TinyRun.Steps, decay: 0, TinyRun.Apollo), trunk).IsFinished);
        }

        Recipe recipe = Stable(steps, decay, TinyRun.Apollo);
        string straight = _folder.File("straight"), branch = _folder.File("branch");
        Assert.True(TrainingRun.Run(recipe, straight).IsFinished);
        Assert.True(TrainingRun.Run(recipe, branch, options: new RunOptions { From = $"{trunk}@{from}" }).IsFinished);

        TinyRun.SameEnd(straight, branch, steps);
        string[] past = Rows(trunk, step => step <= from), own = Rows(branch, _ => true);
        Assert.NotEmpty(past);
        Assert.Equal(past, own[..past.Length]);
        Assert.All(own[past.Length..], row => Assert.True(StepOf(row) > from));
        Assert.Equal(Rows(straight, step => step == steps).Length, Rows(branch, step => step == steps).Length);
    }

    /// <summary>Refused, or the very same: of every method there is, as it is by itself, in per cent of the run.</summary>
    [Theory]
    [MemberData(nameof(Methods))]
    [Trait("Kind", "Slow")]
    public void NoMethodGoesOnOtherwiseThanStraight(string name)
    {
        Recipe trunk = Of(TinyRun.Steps, name) with { Checkpoint = new CheckpointConfig { Every = Duration.Steps(5), Keep = 10 } };
        string run = _folder.File("trunk");
        Assert.True(TrainingRun.Run(trunk, run).IsFinished);
        foreach ((int steps, int from) in new[] { (TinyRun.Steps, 5), (TinyRun.Steps, 15), (20, 15), (30, 5) })
        {
            Recipe recipe = Of(steps, name);
            string branch = _folder.File($"branch of {steps} from {from}");
            try
            {
                Assert.True(TrainingRun.Run(recipe, branch, options: new RunOptions { From = $"{run}@{from}" }).IsFinished);
            }
            catch (UserErrorException exception) when (steps != TinyRun.Steps)
            {
                Assert.Contains("is not on the way of this recipe", exception.Message, StringComparison.Ordinal);
                Assert.Contains("method.", exception.Message, StringComparison.Ordinal);
                Assert.False(Directory.Exists(branch));
                continue;
            }

            string straight = run;
            if (steps != TinyRun.Steps)
            {
                straight = _folder.File($"straight {steps}");
                Assert.True(TrainingRun.Run(recipe, straight).IsFinished);
            }

            TinyRun.SameEnd(straight, branch, steps);
        }

        static Recipe Of(int steps, string name) => Stable(steps, decay: 2, EveryMethod.Of(name) switch
        {
            StagedTrainingConfig staged => staged with { Rewarm = Duration.Steps(3) },
            SparklingConfig sparkling => sparkling with { Rewarm = new RewarmChoice(Duration.Steps(2), 1, 1.3, RewarmScope.New) },
            var method => method,
        });
    }

    public static TheoryData<string> Methods => [.. EveryMethod.All.Select(method => method.Name)];

    /// <summary>Growth that moves the schedule spreads what is left of it over what is left of the run: a longer one has it elsewhere.</summary>
    [Theory]
    [InlineData("restart")]
    [InlineData("rewind 1.5")]
    [InlineData("peak")]
    public void AScheduleThatGrowthHasMovedIsWhereTheStraightRunHasIt(string move)
    {
        ApolloConfig method = TinyRun.Apollo with { Schedule = ScheduleMove.Parse(new ConfigText(new ScalarNode(default, move, IsPlain: true), "")) };
        string trunk = _folder.File("trunk"), straight = _folder.File("straight"), branch = _folder.File("branch");
        Recipe recipe = Stable(30, 4, method) with { LearningRate = Stable(30, 4, method).LearningRate with { Warmup = Duration.Steps(0) } };
        Recipe shorter = recipe with { Training = recipe.Training with { Length = Duration.Steps(20) } };
        Assert.False(TinyRun.Go(trunk, shorter, stopAfter: 8));
        Assert.True(TrainingRun.Run(recipe, straight).IsFinished);
        Assert.True(TrainingRun.Run(recipe, branch, options: new RunOptions { From = trunk }).IsFinished);
        Assert.NotEqual(8, (double)TinyRun.State(TinyRun.Checkpoint(trunk, 8))["schedule_step"]!);
        TinyRun.SameEnd(straight, branch, 30);
    }

    [Fact]
    public void TheSameCommandGoesOnAlsoWithoutTheTrunk()
    {
        Recipe recipe = Stable(30, 5, TinyRun.Apollo);
        string straight = _folder.File("straight"), trunk = _folder.File("trunk"), branch = _folder.File("branch");
        Assert.True(TrainingRun.Run(recipe, straight).IsFinished);
        Assert.False(TinyRun.Go(trunk, Trunk.Recipe, stopAfter: 11));
        var options = new RunOptions { From = $"{trunk}@11" };
        Assert.False(Stopped(recipe, branch, options, after: 17).IsFinished);
        Directory.Delete(trunk, recursive: true);

        foreach (string other in new[] { $"{trunk}@10", $"{_trunk.Path}@11" })
        {
            var exception = Assert.Throws<UserErrorException>(() => TrainingRun.Run(recipe, branch, options: new RunOptions { From = other }));
            Assert.Contains($"has begun already, from {trunk}@11, and not from {other}", exception.Message, StringComparison.Ordinal);
        }

        Assert.True(TrainingRun.Run(recipe, branch, options: options).IsFinished);
        TinyRun.SameEnd(straight, branch, 30);
        Assert.Equal(RunEnd.ReachedBefore, TrainingRun.Run(recipe, branch, options: options).End);
    }

    public static TheoryData<string, string, string[]> Refusals => new()
    {
        { "5", "seed=8", ["it is the run of another recipe", "seed: 7 in the run, 8 here"] },
        { "5", "training.micro_batch=6", ["training.micro_batch: 3 in the run, 6 here"] },
        { "5", "model.n_layer=8 method.stages=[1,2,8]", ["model.n_layer: 4 in the run, 8 here"] },
        { "5", "optimizer.weight_decay=0.1", ["optimizer.weight_decay: 0.01 in the run, 0.1 here"] },
        { "5", "evaluation.tokens=100", ["evaluation.tokens: 200 in the run, 100 here"] },
        { "5", "learning_rate.peak=2e-2", ["the learning rate of step 0 is", "learning_rate.peak: 0.01 in the run, 0.02 here"] },
        { "5", "learning_rate.warmup=20%", ["the learning rate of step 0 is", "learning_rate.warmup: 3 steps in the run, 20 % here"] },
        { "5", "learning_rate.schedule=cosine", ["the learning rate of step 4 is", "learning_rate.schedule: wsd in the run, cosine here"] },
        { "22", "learning_rate.decay=1 steps", ["the learning rate of step 21 is", "learning_rate.decay: 4 steps in the run, 1 steps here"] },
        { "15", "method.boundaries=[6 steps, 14 steps]", ["it grows otherwise at step 13", "method.boundaries: [6 steps, 13 steps] in the run, [6 steps, 14 steps] here"] },
        { "11", "method.boundaries=[30 %, 50 %]", ["it grows otherwise at step 6", "method.boundaries: [6 steps, 13 steps] in the run, [30 %, 50 %] here"] },
        { "5", "method={name: scratch}", ["it begins with another model", "method.name: apollo in the run, scratch here"] },
        { "5", "method.sampler=uniform", ["other layers are executed at step", "method.sampler: lvps in the run, uniform here"] },
        { "15", "training.length=15 steps", ["has done as many steps as this run is to have, 15"] },
        { "9", "", ["has no checkpoint of step 9: it has those of step 5, 11, 15, 22, 24."] },
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public void APastThatIsNotTheSameIsRefusedAndNothingIsWritten(string step, string overrides, string[] says)
    {
        string yaml = RecipeWriter.Write(Stable(30, 5, TinyRun.Apollo)), branch = _folder.File("branch");
        string[] keys = [.. System.Text.RegularExpressions.Regex.Split(overrides, " (?=[a-z_.]+=)").Where(key => key.Length > 0)];
        Recipe recipe = RecipeReader.Parse(yaml, "tiny.yaml", keys);
        var exception = Assert.Throws<UserErrorException>(
            () => TrainingRun.Run(recipe, branch, options: new RunOptions { From = $"{_trunk.Path}@{step}" }));
        Assert.All(says, text => Assert.Contains(text, exception.Message, StringComparison.Ordinal));
        Assert.NotNull(exception.Hint);
        Assert.False(Directory.Exists(branch));
    }

    [Fact]
    public void OtherDataIsRefused()
    {
        using var folder = new TemporaryFolder();
        folder.Write("text/1.txt", string.Concat(Enumerable.Repeat("another text. ", 200)));
        folder.Write("text/2.txt", string.Concat(Enumerable.Repeat("another text. ", 200)));
        Dataset other = CorpusPreparer.Prepare(
            Corpus.Open([folder.File("text")]), folder.File("data"), new PreparationOptions { Tokenizer = ByteLevelBpe.RawBytes, HeldOutFiles = ["2.txt"] });
        Recipe recipe = Stable(30, 5, TinyRun.Apollo) with { Data = new DataConfig { Path = other.Folder } };
        var exception = Assert.Throws<UserErrorException>(
            () => TrainingRun.Run(recipe, _folder.File("branch"), options: new RunOptions { From = $"{_trunk.Path}@5" }));
        Assert.Contains("was trained on other data", exception.Message, StringComparison.Ordinal);
    }

    /// <summary>The points of a loss that growth waits for lie elsewhere in a run of another length.</summary>
    [Fact]
    public void GrowthThatWaitsForTheLossBindsTheLength()
    {
        Recipe Waiting(int steps) => Stable(steps, 5, TinyRun.Apollo with
        {
            Boundaries = [new GrowthTrigger(Duration.Steps(600), new LossRule(LossRuleKind.Plateau, 0.01)), Duration.Steps(700)],
        });

        string trunk = _folder.File("trunk");
        Assert.False(TinyRun.Go(trunk, Waiting(1000), stopAfter: 8));
        var exception = Assert.Throws<UserErrorException>(
            () => TrainingRun.Run(Waiting(2000), _folder.File("branch"), options: new RunOptions { From = trunk }));
        Assert.Contains("growth waits for the loss", exception.Message, StringComparison.Ordinal);
        Assert.Contains("training.length: 1000 steps in the run, 2000 steps here", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nowhere@5", "nowhere is no run")]
    [InlineData("nowhere", "nowhere is no run")]
    public void ANameThatIsNoRunIsSaid(string name, string says)
    {
        var exception = Assert.Throws<UserErrorException>(
            () => TrainingRun.Run(Stable(30, 5, TinyRun.Apollo), _folder.File("branch"), options: new RunOptions { From = name }));
        Assert.Contains(says, exception.Message, StringComparison.Ordinal);
    }

    private static RunResult Stopped(Recipe recipe, string run, RunOptions? options, long after)
    {
        using var stop = new CancellationTokenSource();
        return TrainingRun.Run(
            recipe, run,
            progress =>
            {
                if (progress.Step >= after)
                {
                    stop.Cancel();
                }
            },
            stop.Token, options);
    }

    private static string[] Rows(string run, Func<long, bool> takes) =>
        [.. File.ReadLines(Path.Combine(run, "metrics.csv")).Skip(1).Where(row => takes(StepOf(row)))];

    private static long StepOf(string row) => long.Parse(row.Split(',')[0], System.Globalization.CultureInfo.InvariantCulture);
}
