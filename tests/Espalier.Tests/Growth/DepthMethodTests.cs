using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Models;

namespace Espalier.Tests.Growth;

/// <summary>Methods that add layers in the middle, on top, or late.</summary>
public class DepthMethodTests
{
    private const long Steps = 1000;

    private static readonly ModelConfig Final = GrowthSample.Gpt2(12);

    [Fact]
    public void MidasDoublesMiddleBlocksAndTakesLongerEachTime() => Assert.Equal(
        [
            (100, Copies("[0, 1, 2, 0, 1, 2]")),
            (300, Copies("[0, 1, 2, 0, 1, 2, 3, 4, 5]")),
            (600, Copies("[0, 1, 2, 3, 4, 5, 3, 4, 5, 6, 7, 8]")),
        ],
        Growths(new MidasConfig()));

    [Fact]
    public void LidasCopiesWhatLiesAroundTheMiddle() => Assert.Equal(
        [
            (100, Copies("[0, 1, 2, 0, 1, 2]")),
            (300, Copies("[0, 1, 2, 2, 3, 4, 3, 4, 5]")),
            (600, Copies("[0, 1, 2, 3, 4, 5, 3, 4, 5, 6, 7, 8]")),
        ],
        Growths(new LidasConfig()));

    [Theory]
    [InlineData(0, "25 % 50 % 75 %")]
    [InlineData(1, "10 % 30 % 60 %")]
    public void AlphaSharesTheRun(double alpha, string boundaries) =>
        Assert.Equal(boundaries, string.Join(' ', ((MidasConfig)new MidasConfig { Alpha = alpha }.Resolve(GrowthSample.Gpt2(12))).Boundaries));

    [Fact]
    public void AlphaSharesStagesOfOnesOwnToo()
    {
        var own = (LidasConfig)new LidasConfig { Stages = [6, 9, 12], Alpha = 2 }.Resolve(GrowthSample.Gpt2(12));
        Assert.Equal([Duration.Percent(100.0 / 14), Duration.Percent(500.0 / 14)], own.Boundaries);
        var set = (LidasConfig)new LidasConfig { Stages = [6, 12], Boundaries = [Duration.Steps(5)] }.Resolve(GrowthSample.Gpt2(12));
        Assert.Equal([Duration.Steps(5)], set.Boundaries);
    }

    [Fact]
    public void ABlockIsCopiedOnce()
    {
        Assert.Equal(
            ("stages", "[5, 12] grows from 5 to 12 layers"),
            Problem(new MidasConfig { Stages = [5, 12], Boundaries = [Duration.Percent(50)] }));
        Assert.Null(Problem(new MidasConfig { Stages = [6, 12], Boundaries = [Duration.Percent(50)] }));
    }

    [Fact]
    public void NoneGrowsFasterThanItsCopiesAllowWhateverTheModel() => Assert.All(Enumerable.Range(1, 200), layers =>
    {
        foreach (MethodConfig config in new MethodConfig[] { new MidasConfig(), new LidasConfig(), new MsltConfig() })
        {
            IProgressiveMethod method = config.Create(new RunShape(GrowthSample.Gpt2(layers), 1000, 64, 1));
            Assert.Equal(layers, End(method, 1000).Layers);
        }
    });

    [Fact]
    public void UntilTheyAreWholeModelsAreMeasuredAsTheyAreStored()
    {
        foreach (MethodConfig config in new MethodConfig[] { new MidasConfig(), new MsltConfig(), new LateGrowthConfig() })
        {
            IProgressiveMethod method = Make(config);
            Assert.Equal(Enumerable.Range(0, method.InitialModel.Layers), method.EvaluationPlan(method.InitialModel, new TrainingPosition()).StoredLayers);
            Assert.Equal(Enumerable.Range(0, 12), method.EvaluationPlan(Final, new TrainingPosition()).StoredLayers);
        }
    }

    [Fact]
    public void MsltTrainsWhatItHasAppendedAndAllInTheEnd()
    {
        IProgressiveMethod method = Make(new MsltConfig());
        Assert.Equal(
            [(250, 6), (500, 9), (750, 12)],
            Growths(new MsltConfig()).Select(growth => (growth.Step, ((CopyLayers)growth.Growth.Operator).Count)));
        Assert.Equal([0, 1, 2, 3, 4, 5, 3, 4, 5], LayerMap.Build(LayerMapKind.Stack, 6, 9));
        Trains(3, 0, rest: true);
        Trains(6, 3, rest: false);
        Trains(9, 6, rest: false);
        Trains(12, 0, rest: true);

        void Trains(int stored, int from, bool rest)
        {
            ForwardPlan plan = method.Plan(Final with { Layers = stored }, new TrainingPosition(), 0);
            Assert.Equal(Enumerable.Range(0, stored), plan.StoredLayers);
            Assert.Equal(Enumerable.Range(from, stored - from), plan.Layers.Where(run => run.Trains).Select(run => run.Stored));
            Assert.Equal(rest, plan.TrainsRest);
        }
    }

    [Theory]
    [InlineData(LateLayers.Fresh, "fresh-layers 12 top, moments keep")]
    [InlineData(LateLayers.Interpolate, "copy-layers 12 interpolate, moments keep")]
    [InlineData(LateLayers.Stack, "copy-layers 12 stack, moments keep")]
    public void LateGrowthIsOneHop(LateLayers layers, string growth)
    {
        LateGrowthConfig config = new() { NewLayers = layers };
        Assert.Equal(1, Make(config).InitialModel.Layers);
        Assert.Equal([(500, growth)], Growths(config).Select(at => (at.Step, at.Growth.Operator.ToString())));
        Assert.Equal(
            ("stages", "[1, 2, 12] grows more than once"),
            Problem(config with { Stages = [1, 2, 12], Boundaries = [Duration.Percent(5), Duration.Percent(50)] }));
        Assert.Null(Problem(config with { Stages = [2, 12], Boundaries = [Duration.Percent(80)] }));
    }

    private static GrowthStep Copies(string list) => new(new CopyLayers([.. list.Trim('[', ']').Split(", ").Select(int.Parse)]));

    private static IProgressiveMethod Make(MethodConfig config) => config.Create(new RunShape(Final, Steps, 512, 7));

    private static (string Key, string Problem)? Problem(MethodConfig config) =>
        config.Check(new MethodSurroundings(GrowthSample.Gpt2(12), "n_layer", new RunShape(Final, Steps, 512, 7), _ => true))
            .Select(problem => ((string, string)?)(problem.Key, problem.What)).SingleOrDefault();

    private static ModelConfig End(IProgressiveMethod method, long steps) =>
        EveryMethod.Growths(method, steps).Aggregate(method.InitialModel, (stored, growth) => growth.Growth.Operator.Grow(stored));

    private static List<(long Step, GrowthStep Growth)> Growths(MethodConfig config) => EveryMethod.Growths(Make(config), Steps);
}
