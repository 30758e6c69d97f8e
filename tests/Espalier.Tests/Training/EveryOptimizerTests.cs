using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Planning;
using Espalier.Tests.Data;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Tests.Training;

/// <summary>Every optimizer, as it is by itself, trains through growth, also such as has rates of its own for what is new.</summary>
public sealed class EveryOptimizerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new(inMemory: true);

    public static IEnumerable<object[]> All =>
        from optimizer in Optimizers
        from method in Methods
        select new object[] { optimizer.Name, method.Name };

    public static IEnumerable<object[]> Names => Optimizers.Select(optimizer => new object[] { optimizer.Name });

    private static IEnumerable<OptimizerConfig> Optimizers =>
        ConfigVariants.TypesOf(typeof(OptimizerConfig)).Select(type => (OptimizerConfig)Activator.CreateInstance(type)!);

    private static MethodConfig[] Methods { get; } =
    [
        TinyRun.Apollo with { Moments = MomentPolicy.Map },
        new SparklingConfig { Rewarm = new RewarmChoice(Duration.Steps(4), 1, 1.3, RewarmScope.New) },
        new LateGrowthConfig { Stages = [0, 4] },
    ];

    public void Dispose() => _folder.Dispose();

    /// <summary>Stopped before each growth and after it, a run ends in the very bytes of the uninterrupted one.</summary>
    [Theory]
    [MemberData(nameof(All))]
    [Trait("Kind", "Slow")]
    public void ARunThatIsStoppedAroundItsGrowthsEndsAsOneThatIsNot(string optimizer, string method)
    {
        EndsTheSame(Of(optimizer, Methods.Single(own => own.Name == method)));
    }

    /// <summary>Rates that go with width follow it through growth, and through a stop around it.</summary>
    [Theory]
    [InlineData("adamw", "sparkling")]
    [InlineData("muon", "sparkling")]
    [InlineData("muon", "apollo")]
    [Trait("Kind", "Slow")]
    public void SoDoesOneWhoseRatesCarryOver(string optimizer, string method)
    {
        var carries = new MupConfig { BaseHiddenSize = TinyRun.Recipe.Model.HiddenSize / 2, BaseLayers = 1 };
        EndsTheSame((Of(optimizer, Methods.Single(own => own.Name == method)) with { Parametrization = carries }).Resolve());
    }

    private void EndsTheSame(Recipe recipe)
    {
        string whole = _folder.File("whole"), run = _folder.File("stopped");
        Assert.True(TinyRun.Go(whole, recipe));
        int[] growths = [.. TinyRun.State(TinyRun.Checkpoint(whole, TinyRun.Steps))["growths"]!.AsArray().Select(growth => (int)growth!["step"]!)];
        Assert.NotEmpty(growths);
        foreach (int stop in growths.SelectMany(step => new[] { step, step + 1 }).Prepend(2).Append(20).Distinct().Order())
        {
            Assert.False(TinyRun.Go(run, recipe, stopAfter: stop), $"stop after {stop}");
        }

        Assert.True(TinyRun.Go(run, recipe));
        TinyRun.SameEnd(whole, run);
    }

    /// <summary>What a run is charged is what was foretold, the optimizer's own products included.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void APlanForetellsWhatIsCharged(string optimizer)
    {
        Recipe recipe = Of(optimizer, new GStackConfig());
        string run = _folder.File("run");
        Assert.True(TinyRun.Go(run, recipe));
        using LoadedModel trained = LoadedModel.Load(run, Device.Cpu);
        var cost = ExpectedCost.Of(recipe, trained.Config);
        var state = TinyRun.State(TinyRun.Checkpoint(run, TinyRun.Steps));
        Assert.Equal(cost.Flops.Layers, (double)state["flops_layers"]!, cost.Flops.Layers * 1e-12);
        Assert.Equal(cost.Flops.Head, (double)state["flops_head"]!, cost.Flops.Head * 1e-12);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void TheLossFalls(string optimizer)
    {
        string run = _folder.File("run");
        Recipe recipe = Of(optimizer, new ScratchConfig());
        Assert.True(TinyRun.Go(run, recipe));
        var metrics = new MetricsTable(run);
        double first = MetricsTable.Number(metrics.Rows[0], "train_loss"), last = MetricsTable.Number(metrics.Rows[^1], "train_loss");
        Assert.True(last < first - 0.1, $"{first} -> {last}");
    }

    private static Recipe Of(string optimizer, MethodConfig method) => (TinyRun.Recipe with
    {
        Method = method,
        Optimizer = Optimizers.Single(own => own.Name == optimizer),
        LearningRate = TinyRun.Recipe.LearningRate with { Peak = optimizer == "sgd" ? 0.1 : 0.02 },
    }).Resolve();
}
