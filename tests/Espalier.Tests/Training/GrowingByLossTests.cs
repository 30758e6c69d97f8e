using System.Text.Json.Nodes;
using Espalier.Configuration;
using Espalier.Data;
using Espalier.Evaluation;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Tests.Data;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Tests.Training;

/// <summary>Growth that waits for the loss and looks at data, through the real trainer: no step knows it beforehand.</summary>
[Trait("Kind", "Slow")]
public sealed class GrowingByLossTests : IDisposable
{
    private readonly TemporaryFolder _folder = new(inMemory: true);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ItGrowsOnceTheLossIsLowAndTheScheduleGoesBack()
    {
        string run = Whole("run", new CopyLayers(4, LayerMapKind.Stack));
        GrowthRecord growth = Assert.Single(Growths(run));
        var rows = new MetricsTable(run);
        double[] losses = [.. rows.Rows.Select(row => MetricsTable.Number(row, "train_loss"))];
        Assert.InRange(growth.Step, 2, TinyRun.Steps - 4);
        Assert.Equal(growth.Step, Array.FindIndex(losses, loss => loss < Below) + 1);
        Assert.Equal(
            Enumerable.Range(1, TinyRun.Steps).Select(step => step <= growth.Step ? 2.0 : 4),
            rows.Rows.Select(row => MetricsTable.Number(row, "stored_layers")));
        Assert.Equal(new Rewarm(3, 0.1, 1, RewarmScope.New), growth.Rewarm);

        var schedule = new LearningRate(Recipe(growth: null!).LearningRate, TinyRun.Steps, 96);
        Assert.Equal(
            Enumerable.Range(0, TinyRun.Steps).Select(step => schedule.At(PositionAt(step))),
            rows.Rows.Select(row => MetricsTable.Number(row, "learning_rate")), (expected, actual) => Math.Abs(expected - actual) < 1e-12);

        // It went back to half of where it was, and then goes on a little faster, to end with the run.
        double PositionAt(int step) => step < growth.Step ? step
            : (growth.Step / 2.0) + ((step - growth.Step) * (TinyRun.Steps - (growth.Step / 2.0)) / (TinyRun.Steps - growth.Step));
    }

    public static TheoryData<string> Operators => ["trial", "batches", "ligo"];

    /// <summary>Stopped before, at and after the growth, a run ends in the very bytes of the uninterrupted one.</summary>
    [Theory]
    [MemberData(nameof(Operators))]
    public void AResumedRunEndsAsOneThatWasNotStopped(string name)
    {
        GrowthOperator growth = Operator(name);
        string whole = Whole("whole", growth);
        int grown = (int)Assert.Single(Growths(whole)).Step;
        foreach (int stop in new[] { 1, grown - 1, grown, grown + 1, grown + 2, grown + 5 })
        {
            string run = _folder.File($"stopped after {stop}");
            Assert.False(Go(run, growth, stop));
            Assert.Equal(stop > grown ? 1 : 0, Growths(run, stop).Length);
            Assert.True(Go(run, growth));
            TinyRun.SameEnd(whole, run);
        }
    }

    /// <summary>The run is that of the better way alone, and costs what the trials cost besides.</summary>
    [Fact]
    public void TrialsLeaveTheRunAloneAndAreCharged()
    {
        const int TrialSteps = 2;
        Dictionary<LayerMapKind, IReadOnlyList<double>> heard = [];
        string run = Whole("on trial", new BetterOnTrial(4, TrialSteps) { Hear = heard.Add });
        LayerMapKind better = heard.MinBy(trial => trial.Value[^1]).Key;
        Assert.Equal(2, heard.Count);
        Assert.NotEqual(heard[LayerMapKind.Stack][^1], heard[LayerMapKind.Interpolate][^1]);

        string alone = Whole("alone", new CopyLayers(4, better));
        TinyRun.SameWeights(TinyRun.Checkpoint(alone, TinyRun.Steps), TinyRun.Checkpoint(run, TinyRun.Steps));

        ModelConfig model = TinyRun.Recipe.Model with { VocabularySize = 257 };
        FlopsCount microBatch = Ledger.ForwardAndBackward(model, ForwardPlan.Plain(4), 3, 16, 3 * 16);
        Assert.Equal(Flops(alone) + (microBatch * (2 * TrialSteps * 2)), Flops(run));

        // What trains on trial does as the run does then, its learning rates included.
        int grown = (int)Assert.Single(Growths(run)).Step;
        var rows = new MetricsTable(run);
        Assert.Equal(
            Enumerable.Range(grown + 1, TrialSteps).Select(step => MetricsTable.Number(rows.At(step), "train_loss")), heard[better]);
    }

    /// <summary>They are those that the run meets next, micro-batch by micro-batch.</summary>
    [Fact]
    public void BatchesAreThoseToComeAndAreCharged()
    {
        const int Batches = 3;
        List<long[]> heard = [];
        string run = Whole("on batches", new BetterOnBatches(4, Batches) { Hear = batch => heard.Add(batch.Input.Ids.ToArray<long>()) });
        int grown = (int)Assert.Single(Growths(run)).Step;
        using TokenShard train = TinyRun.Data.OpenTrain();
        ITrainingBatches batches = new NextToken().Training(train, 3, 16, 2, TinyRun.Recipe.Seed);
        Assert.Equal(2 * Batches, heard.Count);
        for (int i = 0; i < heard.Count; i++)
        {
            (int step, int microBatch) = Math.DivRem(i % Batches, 2);
            Assert.Equal(batches.At(grown + step, microBatch).InputIds, heard[i]);
        }

        FlopsCount[] alone = [.. Enum.GetValues<LayerMapKind>().Select(map => Flops(Whole($"alone {map}", new CopyLayers(4, map))))];
        Assert.Single(alone.Distinct());
        ModelConfig model = TinyRun.Recipe.Model with { VocabularySize = 257 };
        Assert.Equal(alone[0] + (Ledger.Forward(model, ForwardPlan.Plain(4), 3, 16, 3 * 16) * (2 * Batches)), Flops(run));
    }

    /// <summary>The method is asked again for every recorded growth: what it would not have done is not gone on from.</summary>
    [Theory]
    [InlineData("step", 1)]
    [InlineData("step", 1000)]
    [InlineData("operator", "copy-layers 4 interpolate, moments map")]
    [InlineData("rewarm", null)]
    public void AnEditedRecordIsRefused(string key, object? value)
    {
        var growth = new CopyLayers(4, LayerMapKind.Stack);
        int grown = (int)Assert.Single(Growths(Whole("whole", growth))).Step;
        string run = _folder.File("edited"), checkpoint = TinyRun.Checkpoint(run, grown + 2);
        Assert.False(Go(run, growth, grown + 2));
        JsonObject state = TinyRun.State(checkpoint);
        JsonNode? sound = state["growths"]![0]![key]?.DeepClone();
        state["growths"]![0]![key] = value is null ? null : JsonValue.Create(value);
        TinyRun.Rewrite(checkpoint, state);
        var exception = Assert.Throws<UserErrorException>(() => Go(run, growth));
        Assert.StartsWith($"{checkpoint} is no checkpoint of this run: ", exception.Message, StringComparison.Ordinal);

        state["growths"]![0]![key] = sound;
        TinyRun.Rewrite(checkpoint, state);
        Assert.True(Go(run, growth));
    }

    /// <summary>Half the context: twice the sequences, so that a step has its tokens; and a resumed run has them too.</summary>
    [Theory]
    [InlineData("gpt2")]
    [InlineData("bert")]
    public void PlansOfShorterSequencesTrainOnAsManyTokens(string type)
    {
        var growth = new CopyLayers(4, LayerMapKind.Stack);
        (Recipe recipe, Dataset? data) = (Recipe(growth, length: 8), TinyRun.Data);
        if (type == "bert")
        {
            data = TinyRun.PrepareWordPieces(_folder);
            recipe = recipe with
            {
                Model = new BertConfig { Layers = 4, HiddenSize = 16, Heads = 2, ContextLength = 16, InitializerRange = 0.3 },
                Data = new DataConfig { Path = data.Folder },
            };
        }

        string whole = _folder.File("whole"), run = _folder.File("stopped");
        Assert.True(Go(whole, recipe, data: data));
        Assert.Equal(
            Enumerable.Range(1, TinyRun.Steps).Select(step => step * 96.0),
            new MetricsTable(whole).Rows.Select(row => MetricsTable.Number(row, "tokens")));
        Assert.False(Go(run, recipe, stopAfter: 9, data));
        Assert.True(Go(run, recipe, data: data));
        TinyRun.SameEnd(whole, run);

        // Attention over half the positions: half of its cost, and that alone.
        string full = _folder.File("full length");
        Assert.True(Go(full, recipe with { Method = (GrowingByLoss)recipe.Method with { Length = null, Below = 0 } }, data: data));
        string half = _folder.File("half length");
        Assert.True(Go(half, recipe with { Method = (GrowingByLoss)recipe.Method with { Below = 0 } }, data: data));
        Assert.Equal(Flops(full).Layers, Flops(half).Layers);
        Assert.Equal(Flops(full).Attention, 2 * Flops(half).Attention);
    }

    // Untrained, the loss is ln 257 = 5.55; a run of these settings ends below 3.5.
    private const double Below = 4.2;

    private static GrowthOperator Operator(string name) => name switch
    {
        "trial" => new BetterOnTrial(4, 2),
        "ligo" => new Ligo { LayerCount = 4, Steps = 3 },
        _ => new BetterOnBatches(4, 3),
    };

    private static Recipe Recipe(GrowthOperator growth, int? length = null) => TinyRun.Recipe with
    {
        Method = new GrowingByLoss { Below = Below, Operator = growth, Length = length },
        Checkpoint = new CheckpointConfig { Every = Duration.Steps(100), Keep = 100 },
        Evaluation = new EvaluationConfig { Every = Duration.Steps(12), Tokens = 60 },
        Logging = new LoggingConfig { Every = Duration.Steps(1) },
    };

    private string Whole(string name, GrowthOperator growth)
    {
        string run = _folder.File(name);
        Assert.True(Go(run, growth));
        return run;
    }

    private static bool Go(string run, GrowthOperator growth, long stopAfter = long.MaxValue) => Go(run, Recipe(growth), stopAfter);

    private static bool Go(string run, Recipe recipe, long stopAfter = long.MaxValue, Dataset? data = null) =>
        TinyRun.Go(run, recipe, stopAfter, data: data, keptAs: recipe with { Method = new ScratchConfig() });

    private static GrowthRecord[] Growths(string run, int step = TinyRun.Steps)
    {
        using TrainingState state = Read(run, step);
        return [.. state.Position.Growths];
    }

    private static FlopsCount Flops(string run)
    {
        using TrainingState state = Read(run, TinyRun.Steps);
        return state.Position.Flops;
    }

    private static TrainingState Read(string run, int step) => Checkpoint.Read(
        TinyRun.Checkpoint(run, step), new AdamW(new AdamWConfig()), _ => throw new InvalidOperationException(), Device.Cpu);
}
