using System.Globalization;
using System.Text.Json.Nodes;
using Espalier.Configuration;
using Espalier.Distributed;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Tests.Data;
using Espalier.Tests.Growth;
using Espalier.Tests.Training;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Tests.Distributed;

/// <summary>Runs whose optimizer is dealt out over their ranks (ZeRO-1): what one process trains and remembers, in pieces.</summary>
public sealed class ShardedOptimizerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new(inMemory: true);

    public static TheoryData<string, string> Runs => new()
    {
        { "adamw", "apollo" },
        { "adamw", "sparkling" },
        { "adamw", "mslt" },
        { "muon", "apollo" },
        { "muon", "sparkling" },
        { "muon-nsgd", "apollo" },
        { "sgd", "apollo" },
    };

    public void Dispose() => _folder.Dispose();

    /// <summary>A sum in the order of the ranks is that of one process, whatever their number.</summary>
    [Theory]
    [MemberData(nameof(Runs))]
    public void RanksOfOneMicroBatchEndInTheBitsOfOneProcess(string optimizer, string method)
    {
        Recipe recipe = Of(optimizer, method);
        TinyRun.Go(_folder.File("one"), recipe);
        foreach (int ranks in new[] { 2, 4 })
        {
            string run = string.Create(CultureInfo.InvariantCulture, $"ranks{ranks}");
            Recipe shared = WithMicroBatches(recipe, ranks);
            TinyRun.Go(_folder.File("one" + run), shared);
            Assert.All(Go(ranks, shared, run), Assert.Null);
            SameEnd("one" + run, run, ranks);
        }
    }

    /// <summary>Matrices of a megabyte travel one by one, from where they lie.</summary>
    [Theory]
    [InlineData("adamw")]
    [InlineData("muon")]
    public void SoDoThoseOfALargerModel(string optimizer)
    {
        Recipe recipe = Of(optimizer, "apollo") with { Model = (Gpt2Config)TinyRun.Recipe.Model with { HiddenSize = 256 } };
        TinyRun.Go(_folder.File("one"), recipe);
        Assert.All(Go(2, recipe, "two"), Assert.Null);
        SameEnd("one", "two", 2);
        Recipe whole = recipe with { Training = recipe.Training with { ShardOptimizer = false } };
        Assert.All(Go(2, whole, "two-whole"), Assert.Null);
        Assert.Equal(
            File.ReadAllBytes(Path.Combine(TinyRun.Checkpoint(_folder.File("one"), TinyRun.Steps), "model.safetensors")),
            File.ReadAllBytes(Path.Combine(TinyRun.Checkpoint(_folder.File("two-whole"), TinyRun.Steps), "model.safetensors")));
    }

    /// <summary>Rates of their own for new units, and such as go with width, find their elements in every share.</summary>
    [Theory]
    [InlineData("adamw")]
    [InlineData("muon")]
    public void RatesThatCarryOverDoSo(string optimizer)
    {
        Recipe recipe = (Of(optimizer, "sparkling") with
        {
            Parametrization = new MupConfig { BaseHiddenSize = 32, BaseLayers = 1 },
        }).Resolve();
        TinyRun.Go(_folder.File("one"), recipe);
        Assert.All(Go(2, recipe, "two"), Assert.Null);
        SameEnd("one", "two", 2);
    }

    /// <summary>Shares of four are read by one, and what one has written by four.</summary>
    [Fact]
    public void AnotherNumberOfRanksGoesOn()
    {
        Recipe recipe = WithMicroBatches(Of("muon", "apollo"), 4);
        TinyRun.Go(_folder.File("one"), recipe);
        Assert.All(Go(4, recipe, "run", stopAfter: 4), Assert.Null);
        Assert.Equal(4, OptimizerFilesOf("run", 4).Length);
        Assert.False(TinyRun.Go(_folder.File("run"), recipe, stopAfter: 10));
        Assert.Single(OptimizerFilesOf("run", 10));
        Assert.All(Go(4, recipe, "run"), Assert.Null);
        SameEnd("one", "run", 4);
    }

    /// <summary>Two ranks add up otherwise than one: equal to rounding, and shares of four are read by two.</summary>
    [Fact]
    public void FewerRanksTakeMore()
    {
        Recipe recipe = WithMicroBatches(Of("adamw", "apollo"), 4);
        TinyRun.Go(_folder.File("one"), recipe);
        Assert.All(Go(4, recipe, "run", stopAfter: 9), Assert.Null);
        Assert.All(Go(2, recipe, "run"), Assert.Null);
        Assert.Equal(2, OptimizerFilesOf("run", TinyRun.Steps).Length);
        Near.Equal(Losses("one")[^3..], Losses("run")[^3..], 1e-5);
    }

    [Fact]
    public void CheckpointsInTheBackgroundAreThoseOfTheForeground()
    {
        Recipe recipe = Of("adamw", "apollo");
        recipe = recipe with { Checkpoint = recipe.Checkpoint with { Every = Duration.Steps(3), Keep = 100 } };
        Recipe background = recipe with { Checkpoint = recipe.Checkpoint with { Background = true } };
        Assert.All(Go(2, recipe, "at-once"), Assert.Null);
        Assert.All(Go(2, background, "background"), Assert.Null);
        for (int step = 3; step <= TinyRun.Steps; step += 3)
        {
            SameEnd("at-once", "background", 2, step);
            Checkpoint.Verify(TinyRun.Checkpoint(_folder.File("background"), step));
        }
    }

    /// <summary>A run that fits by its shares alone is not refused; its checkpoints are as large as any.</summary>
    [Fact]
    public void ARunIsMeasuredByTheShareOfARank()
    {
        Recipe dealt = Of("adamw", "apollo"), whole = dealt with { Training = dealt.Training with { ShardOptimizer = false } };
        Assert.All(
            RanksOfThreads.Go(2, ranks =>
            {
                RunOutline own = Outline(dealt, ranks), all = Outline(whole, ranks);
                Assert.Equal(all.Memory - (4.0 * all.Parameters), own.Memory);
                Assert.Equal(all.Disk, own.Disk);
            }),
            Assert.Null);
        Assert.Equal(Outline(whole, Ranks.Single).Memory, Outline(dealt, Ranks.Single).Memory);

        RunOutline Outline(Recipe recipe, Ranks ranks)
        {
            using var trainer = new Trainer(recipe, TinyRun.Data, ranks: ranks);
            return trainer.Outline(_folder.File("run"), 0);
        }
    }

    [Fact]
    public void AMissingShareIsNamed()
    {
        Recipe recipe = Of("adamw", "apollo");
        Assert.All(Go(2, recipe, "run", stopAfter: 9), Assert.Null);
        string checkpoint = TinyRun.Checkpoint(_folder.File("run"), 9), share = OptimizerFilesOf("run", 9)[0];
        File.Delete(share);
        UserErrorException missing = Assert.Throws<UserErrorException>(() => TinyRun.Go(_folder.File("run"), recipe));
        Assert.Contains($"{Path.GetFileName(share)} is missing", missing.Message, StringComparison.Ordinal);

        // A checkpoint without a list of its files.
        File.Delete(Path.Combine(checkpoint, "SHA256SUMS"));
        UserErrorException gap = Assert.Throws<UserErrorException>(() => TinyRun.Go(_folder.File("run"), recipe));
        Assert.StartsWith(checkpoint, gap.Message, StringComparison.Ordinal);
    }

    /// <summary>Dealt out and put together again, a state is what it was; each rank has remembered no more than its share.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void DealingAndGatheringLosesNothing(int size)
    {
        foreach (OptimizerConfig rule in new OptimizerConfig[] { new AdamWConfig(), new MuonConfig() })
        {
            var shares = new long[size];
            long all = 0;
            Assert.All(
                RanksOfThreads.Go(size, ranks =>
                {
                    using TrainingState state = Remembering(rule), expected = state.Copy();
                    TrainingState dealt = ShardedOptimizer.Deal(state, ranks);
                    shares[ranks.Rank] = Elements(dealt);
                    all = Elements(expected);
                    TrainingState whole = ShardedOptimizer.Gather(dealt, ranks);
                    Assert.Null(whole.Optimizer.Shards);
                    foreach ((string name, ParameterState remembered) in expected.Optimizer)
                    {
                        Assert.Equal(remembered.Steps, whole.Optimizer[name].Steps);
                        foreach ((string slot, Slot value) in remembered.Slots)
                        {
                            Near.Identical(value.Value, whole.Optimizer[name].Slots[slot].Value, $"{name}.{slot}");
                        }
                    }

                    whole.Optimizer.Dispose();
                }),
                Assert.Null);
            Assert.Equal(all, shares.Sum());
            Assert.InRange(shares.Max(), 0, (all / size) + (all / 4));
        }

        static long Elements(TrainingState state) => state.Optimizer.Sum(pair => pair.Value.Slots.Sum(slot => slot.Value.Value.Count));
    }

    private static TrainingState Remembering(OptimizerConfig rule)
    {
        var state = TrainingState.Begin(GrowthSample.Gpt2(3) with { HiddenSize = 64 }, 3, rule.Create(), seed: 5, Device.Cpu);
        var random = new Random(1);
        foreach ((_, ParameterState remembered) in state.Optimizer)
        {
            remembered.Steps = random.Next(100);
            foreach (Slot slot in remembered.Slots.Values)
            {
                using var scope = new TensorScope();
                float[] numbers = [.. Enumerable.Range(0, (int)slot.Value.Count).Select(_ => random.NextSingle())];
                slot.Value.CopyFrom(Tensor.From<float>(numbers, slot.Value.Shape));
            }
        }

        return state;
    }

    private static Recipe Of(string optimizer, string method)
    {
        MethodConfig config = method switch
        {
            "apollo" => TinyRun.Apollo with { Moments = MomentPolicy.Map },
            "sparkling" => new SparklingConfig { Rewarm = new RewarmChoice(Duration.Steps(4), 1, 1.3, RewarmScope.New) },
            _ => EveryMethod.Of(method),
        };
        Type rule = ConfigVariants.TypesOf(typeof(OptimizerConfig)).Single(type => ((OptimizerConfig)Activator.CreateInstance(type)!).Name == optimizer);
        var model = (Gpt2Config)TinyRun.Recipe.Model with { HiddenSize = 64 };
        return (TinyRun.Recipe with
        {
            Model = model,
            Method = config.Resolve(model),
            Optimizer = (OptimizerConfig)Activator.CreateInstance(rule)!,
            Training = TinyRun.Recipe.Training with { ShardOptimizer = true },
        }).Resolve();
    }

    private static Recipe WithMicroBatches(Recipe recipe, int count) =>
        recipe with { Training = recipe.Training with { GradientAccumulation = count } };

    private Exception?[] Go(int size, Recipe recipe, string run, long stopAfter = long.MaxValue)
    {
        using var stop = new CancellationTokenSource();
        return RanksOfThreads.Go(size, ranks => TrainingRun.Run(
            recipe,
            _folder.File(run),
            progress =>
            {
                if (ranks.Rank == size - 1 && progress.Step >= stopAfter)
                {
                    stop.Cancel();
                }
            },
            ranks.Rank == size - 1 ? stop.Token : CancellationToken.None,
            new RunOptions { Ranks = ranks }));
    }

    private string[] OptimizerFilesOf(string run, long step) =>
        [.. Directory.EnumerateFiles(TinyRun.Checkpoint(_folder.File(run), step), "optimizer*").Order(StringComparer.Ordinal)];

    private double[] Losses(string run) =>
        [.. new MetricsTable(_folder.File(run)).Rows.Select(row => MetricsTable.Number(row, "train_loss"))];

    /// <summary>The same weights, memory and position; what a checkpoint remembers lies in as many files as there are ranks.</summary>
    private void SameEnd(string expectedRun, string actualRun, int ranks, long step = TinyRun.Steps)
    {
        string expected = TinyRun.Checkpoint(_folder.File(expectedRun), step), actual = TinyRun.Checkpoint(_folder.File(actualRun), step);
        Assert.Equal(File.ReadAllBytes(Path.Combine(expected, "model.safetensors")), File.ReadAllBytes(Path.Combine(actual, "model.safetensors")));
        Assert.Equal(ranks, OptimizerFilesOf(actualRun, step).Length);

        (JsonObject expectedState, JsonObject actualState) = (TinyRun.State(expected), TinyRun.State(actual));
        expectedState.Remove("seconds");
        actualState.Remove("seconds");
        Assert.Equal(expectedState.ToJsonString(), actualState.ToJsonString());

        OptimizerConfig rule = RunDirectory.RecipeAt(_folder.File(actualRun), step).Optimizer;
        using TrainingState one = Read(expected), dealt = Read(actual);
        foreach ((string name, ParameterState remembered) in one.Optimizer)
        {
            foreach ((string slot, Slot value) in remembered.Slots)
            {
                Near.Identical(value.Value, dealt.Optimizer[name].Slots[slot].Value, $"{name}.{slot}");
            }
        }

        TrainingState Read(string checkpoint) => Checkpoint.Read(checkpoint, rule.Create(), _ => [], Device.Cpu);
    }
}
