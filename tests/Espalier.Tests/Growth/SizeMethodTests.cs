using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Tests.Growth;

/// <summary>Methods whose stages may be of any sizes.</summary>
public class SizeMethodTests
{
    private const long Steps = 1000;

    private static readonly Gpt2Config Final = GrowthSample.Gpt2(4) with { HiddenSize = 32, Heads = 4 };

    [Theory]
    [InlineData("n_layer=2", 2, 32, 4)]
    [InlineData("n_embd=16", 4, 16, 2)]
    [InlineData("n_layer=1  n_embd=8", 1, 8, 1)]
    [InlineData("n_embd=16 n_head=4", 4, 16, 4)]
    public void SizesFollowFromTheFinalModel(string sizes, int layers, int hidden, int heads) => Assert.Equal(
        Final with { Layers = layers, HiddenSize = hidden, Heads = heads }, new ModelSizes(sizes.Replace("  ", " ", StringComparison.Ordinal)).Apply(Final));

    /// <summary>The paper's thresholds and ratios, for what grows.</summary>
    [Theory]
    [InlineData("n_layer=2", "n_layer=4", "slope -0.0575 or 50 %", "rewind 1.412", "identity-layers 4 interpolate, moments map")]
    [InlineData("n_embd=16", "n_embd=32", "slope -0.0475 or 50 %", "rewind 1.776", "double-width, moments map")]
    [InlineData(
        "n_layer=2 n_embd=16", "n_layer=4 n_embd=32", "slope -0.03 or 50 %", "rewind 2.455",
        "double-width, moments map; identity-layers 4 interpolate, moments map")]
    public void StagedTrainingGrowsAsPublished(string from, string to, string boundary, string schedule, string growth)
    {
        var config = (StagedTrainingConfig)new StagedTrainingConfig { Stages = [new(from), new(to)] }.Resolve(Final);
        Assert.Equal((boundary, schedule, "150 steps"), (config.Boundaries[0].ToString(), config.Schedule!.ToString(), config.Rewarm!.ToString()));
        (long step, GrowthStep grown) = Assert.Single(Growths(config));
        Assert.Equal((500, growth, new Rewarm(150)), (step, grown.Operator.ToString(), grown.Rewarm));
        Assert.Equal(500 / double.Parse(schedule[7..], System.Globalization.CultureInfo.InvariantCulture), grown.ScheduleStep!.Value, 9);
    }

    [Theory]
    [InlineData("staged-training", "n_layer=2", "identity-layers 4 interpolate, moments map", null)]
    [InlineData("hyper-cloning", "n_embd=16 n_head=2", "hyper-cloning hidden_size 32, heads 4, ffn_size 128, moments map", 0.0)]
    [InlineData("sparkling", "n_embd=16 n_head=2", "sparkling hidden_size 32, heads 4, ffn_size 128, moments keep", null)]
    [InlineData("zero-pad", "n_embd=16 n_head=2", "zero-pad-width hidden_size 32, heads 4, ffn_size 128, shrink 0.4, moments reset", null)]
    [InlineData(
        "msg", "n_layer=2 n_embd=16 n_head=2",
        "fresh-units hidden_size 32, heads 4, ffn_size 128, moments keep; fresh-layers 4 top, moments keep", 25.0)]
    [InlineData(
        "compound-grow", "n_layer=2 n_embd=16 n_head=2",
        "net2net hidden_size 32, heads 4, ffn_size 128, sources cyclic, moments map; copy-layers 4 stack, moments map", null)]
    public void MethodsGrowFromHalf(string name, string stage, string growth, double? schedule)
    {
        StagedSizesConfig config = Resolved(name);
        Assert.StartsWith(stage, config.Stages[0].Text, StringComparison.Ordinal);
        (long step, GrowthStep grown) = Assert.Single(Growths(config));
        Assert.Equal(500, step);
        Assert.StartsWith(growth.Split(',')[0], grown.Operator.ToString(), StringComparison.Ordinal);
        Assert.Equal(growth, grown.Operator.ToString());
        if (name != "staged-training")
        {
            Assert.Equal(schedule, grown.ScheduleStep);
        }
    }

    [Fact]
    public void LigoGrowsDepthAloneWhereHeadsAreShared()
    {
        var shared = new LlamaConfig { Layers = 4, HiddenSize = 32, Heads = 4, KeyValueHeads = 2, ContextLength = 8 };
        Assert.Equal("num_hidden_layers=2", ((LigoConfig)new LigoConfig().Resolve(shared)).Stages[0].Text);
        Assert.Empty(Problems(new LigoConfig(), shared));
        Assert.Equal(
            "num_hidden_layers=2 hidden_size=16 num_attention_heads=2 intermediate_size=64",
            ((LigoConfig)new LigoConfig().Resolve(shared with { KeyValueHeads = null })).Stages[0].Text);
    }

    /// <summary>What is added stays closed at first, and the model computes what it did; then it opens, and all is as it is stored.</summary>
    [Fact]
    public void MsgOpensWhatItHasAddedBitByBit()
    {
        IProgressiveMethod method = Make(new MsgConfig { GrowTime = Duration.Steps(10) });
        TrainingState state = GrowthSample.State(method.InitialModel);
        ModelBatch batch = GrowthSample.Batch(Final);
        var position = new TrainingPosition { Step = 500, ScheduleStep = 500 };
        Tensor before = ForwardPass.Logits(state.Model, batch.Input, method.Plan(method.InitialModel, position, 0));
        GrowthStep growth = method.Next(method.InitialModel, position)!;
        using TrainingState grown = growth.Operator.Apply(state, GrowthSample.NoContext);
        Assert.Equal(Final, grown.Model.Config);

        position = position with { Growths = [new GrowthRecord(500, growth.Operator.ToString())] };
        Near.Equal(before, Logits(500), 2e-5);
        Assert.True(Difference(Logits(505)) > 1e-3, "half open, it computes something else");
        Assert.Equal(Values(ForwardPass.Logits(grown.Model, batch.Input, ForwardPlan.Plain(4))), Values(Logits(510)));
        ForwardPlan half = method.Plan(Final, position with { Step = 505 }, 0);
        Assert.Equal([1, 1, 0.5, 0.5], half.Layers.Select(run => run.Scale));
        Assert.Equal(new UnitMask(16, 0.5), half.RestMask!.Hidden);

        Tensor Logits(long step) => ForwardPass.Logits(grown.Model, batch.Input, method.EvaluationPlan(Final, position with { Step = step }));

        float[] Values(Tensor tensor) => tensor.Reshape(-1).ToArray<float>();

        double Difference(Tensor tensor) => Values(tensor).Zip(Values(before), (a, b) => Math.Abs(a - b)).Max();
    }

    [Fact]
    public void LlamaProTrainsTheNewLayersAlone()
    {
        IProgressiveMethod method = Make(new LlamaProConfig { Stages = [2, 4], Boundaries = [Duration.Percent(50)] });
        ForwardPlan first = method.Plan(method.InitialModel, new TrainingPosition(), 0);
        Assert.True(first.TrainsRest && first.Layers.All(run => run.Trains));
        ForwardPlan second = method.Plan(Final, new TrainingPosition { Growths = [new GrowthRecord(500, "")] }, 0);
        Assert.False(second.TrainsRest);
        Assert.Equal([false, true, false, true], second.Layers.Select(run => run.Trains));
        Assert.Equal([0, 1, 2, 3], second.StoredLayers);
    }

    /// <summary>What has been shared becomes two layers, and nothing else changes.</summary>
    [Fact]
    public void RepeatedLayersAreUntiedWithoutAChange()
    {
        IProgressiveMethod method = Make(new RepeatLayersConfig
        {
            Stages = [3, 4], Boundaries = [Duration.Percent(75)], RepeatFrom = Duration.Percent(35),
        });
        Assert.Equal([0, 1, 2], Plan(349).StoredLayers);
        Assert.Equal([0, 1, 1, 2], Plan(350).StoredLayers);
        using TrainingState state = GrowthSample.State(method.InitialModel);
        ModelBatch batch = GrowthSample.Batch(Final);
        Tensor shared = ForwardPass.Logits(state.Model, batch.Input, Plan(749));
        using TrainingState grown = method.Next(method.InitialModel, new TrainingPosition { Step = 750 })!.Operator.Apply(
            state, GrowthSample.NoContext);
        Near.Equal(shared, ForwardPass.Logits(grown.Model, batch.Input, ForwardPlan.Plain(4)), 1e-6);

        ForwardPlan Plan(long step) => method.Plan(method.InitialModel, new TrainingPosition { Step = step }, 0);
    }

    [Fact]
    public void CompoundGrowthLengthensTheSequences()
    {
        IProgressiveMethod method = Make(new CompoundGrowConfig());
        Assert.Equal(6, method.Plan(method.InitialModel, new TrainingPosition(), 0).Length);
        Assert.Equal(12, method.Plan(Final, new TrainingPosition { Growths = [new GrowthRecord(500, "")] }, 0).Length);
        Assert.Null(method.EvaluationPlan(method.InitialModel, new TrainingPosition()).Length);
    }

    /// <summary>What both growths have added is new, in places of old layers and all of new ones.</summary>
    [Fact]
    public void OneGrowthAfterTheOtherIsAsBoth()
    {
        ModelConfig small = GrowthSample.Gpt2(2);
        var both = new InTurn(new DoubleWidth(), new CopyLayers(3, LayerMapKind.Stack)) { Moments = MomentPolicy.Keep };
        using TrainingState grown = both.Apply(GrowthSample.State(small), GrowthSample.NoContext);
        using TrainingState wider = new DoubleWidth { Moments = MomentPolicy.Keep }.Apply(GrowthSample.State(small), GrowthSample.NoContext);
        var places = wider.Model.Parameters.ToDictionary(
            parameter => (parameter.Spec.Layer, parameter.Spec.Role), parameter => wider.Optimizer[parameter.Name].New);
        using TrainingState after = new CopyLayers(3, LayerMapKind.Stack) { Moments = MomentPolicy.Keep }.Apply(wider, GrowthSample.NoContext);
        Assert.Equal(both.Grow(small), after.Model.Config);
        foreach (Parameter parameter in after.Model.Parameters)
        {
            Assert.Equal(parameter.Value.ToArray<float>(), grown.Model.Parameters.Single(other => other.Name == parameter.Name).Value.ToArray<float>());
            NewUnits? added = grown.Optimizer[parameter.Name].New;
            if (parameter.Spec.Layer == 2)
            {
                Assert.Null(added!.Places);
            }
            else
            {
                NewUnits? expected = places[(parameter.Spec.Layer, parameter.Spec.Role)];
                Assert.Equal(expected?.Places?.Select(axis => axis?.ToArray()), added?.Places?.Select(axis => axis?.ToArray()));
            }
        }

        Assert.Equal(Kept.Not, both.Promise(small).Loss);
        Assert.Equal(
            (Kept.Exactly, true), (new InTurn(new DoubleWidth(), new IdentityLayers(4)).Promise(small).Loss,
                new InTurn(new DoubleWidth(), new IdentityLayers(4)).Promise(small).Dynamics));
    }

    /// <summary>Marks of an earlier growth do not outlive the next.</summary>
    [Fact]
    public void OnlyTheLastGrowthIsNew()
    {
        using TrainingState twice = new CopyLayers(2, LayerMapKind.Stack).Apply(
            new DoubleWidth().Apply(GrowthSample.State(GrowthSample.Gpt2(1)), GrowthSample.NoContext), GrowthSample.NoContext);
        Assert.All(
            twice.Model.Parameters.Where(parameter => parameter.Spec.Layer != 1), parameter => Assert.Null(twice.Optimizer[parameter.Name].New));
    }

    [Theory]
    [InlineData("n_layer=2 n_embd=16", "n_layer=4", "hyper-cloning does not grow `n_layer=2 n_embd=16 n_head=2 n_inner=64`")]
    [InlineData("n_embd=8", "n_embd=16", "the last, `n_embd=16`, has n_embd 16 where the model has 32")]
    [InlineData("n_embd=32", "n_embd=32", "`n_embd=32` is no larger than the stage before")]
    [InlineData("n_embd=32", "n_embd=16", "less than the 32 of the stage before")]
    [InlineData("n_embd=12", "n_embd=32", "heads of the size 8, as the model has them, do not divide it")]
    [InlineData("hidden_size=12", "n_embd=32", "a gpt2 has no hidden_size")]
    [InlineData("n_embd=24", "n_embd=32", "`hidden_size` 32 is not a multiple of the model's 24")]
    [InlineData("n_embd", "n_embd=32", "'n_embd' is no size")]
    public void StagesThatDoNotWorkAreToldSo(string first, string last, string says)
    {
        var config = new HyperCloningConfig { Stages = [new(first), new(last)], Boundaries = [Duration.Percent(50)] };
        ConfigProblem problem = Assert.Single(Problems(config));
        Assert.Equal("stages", problem.Key);
        Assert.Contains(says, problem.What, StringComparison.Ordinal);
        Assert.NotEmpty(problem.Remedy);
    }

    [Fact]
    public void OtherMistakesAreToldToo()
    {
        Assert.Contains("names 1", Assert.Single(Problems(new LagConfig { Operators = ["stack"] })).What, StringComparison.Ordinal);
        Assert.Equal("moments", Assert.Single(Problems(new LigoConfig { Moments = MomentPolicy.Map })).Key);
        Assert.Contains("`moments` map", Assert.Single(Problems(new GrowConfig { Operators = ["ligo"] })).What, StringComparison.Ordinal);
        Assert.Contains("`moments` keep", Assert.Single(Problems(
            new LagConfig { Operators = ["stack", "ligo"], Moments = MomentPolicy.Keep })).What, StringComparison.Ordinal);
        Assert.Contains("'stak'", Assert.Single(Problems(new GrowConfig { Operators = ["stak"] })).What, StringComparison.Ordinal);
        Assert.Contains("5 does not divide", Assert.Single(Problems(new CompoundGrowConfig { Lengths = [5, 12] })).What, StringComparison.Ordinal);
        Assert.Contains("ends with 6", Assert.Single(Problems(new CompoundGrowConfig { Lengths = [6, 6] })).What, StringComparison.Ordinal);
        Assert.Contains("are 1 for 2 stages", Assert.Single(Problems(new CompoundGrowConfig { Lengths = [12] })).What, StringComparison.Ordinal);
        Assert.Contains("5 layers are not a multiple", Assert.Single(Problems(
            new GStackConfig { Stages = [3, 5], Boundaries = [Duration.Percent(50)] }, Final with { Layers = 5 })).What.Replace("are not a multiple of 3", "are not a multiple", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Contains("is after", Assert.Single(Problems(new RepeatLayersConfig { RepeatFrom = Duration.Percent(90) })).What, StringComparison.Ordinal);
    }

    private static StagedSizesConfig Resolved(string name) => (StagedSizesConfig)EveryMethod.Of(name).Resolve(Final);

    private static RunShape Run(ModelConfig final) => new(final, Steps, 512, 7) { WarmupSteps = 25 };

    private static IProgressiveMethod Make(MethodConfig config) => config.Create(Run(Final));

    private static IEnumerable<ConfigProblem> Problems(MethodConfig config, ModelConfig? final = null) =>
        config.Check(new MethodSurroundings(final ?? Final, "n_layer", Run(final ?? Final), _ => true));

    private static List<(long Step, GrowthStep Growth)> Growths(MethodConfig config)
    {
        IProgressiveMethod method = Make(config);
        List<(long Step, GrowthStep Growth)> growths = EveryMethod.Growths(method, Steps);
        ModelConfig end = growths.Aggregate(method.InitialModel, (model, at) => at.Growth.Operator.Grow(model));
        Assert.Equal(Final, end with { FfnSize = Final.FfnSize });
        return growths;
    }
}
