using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Tests.Growth;

/// <summary>Operators against their papers' formulas, written out tensor by tensor in NumPy (tests/tools/make_growth_golden.py).</summary>
public class GrowthGoldenTests
{
    [Theory]
    [InlineData("param", 0)]
    [InlineData(AdamW.ExpAvg, 0)]
    [InlineData(AdamW.ExpAvgSq, 0)]
    public void StagedTrainingsWidth(string what, double tolerance)
    {
        using Golden golden = Golden.Open("growth");
        using TrainingState grown = Grown(golden, new DoubleWidth(), tied: true);
        string prefix = what == "param" ? "staged-width." : $"staged-width.{what}.";
        foreach (Parameter parameter in grown.Model.Parameters)
        {
            Tensor value = what == "param" ? parameter.Value : grown.Optimizer[parameter.Name].Slots[what].Value;
            Near.Equal(golden[prefix + parameter.Name], value, tolerance, parameter.Name);
        }
    }

    public static TheoryData<string, GrowthOperator> Grows => new()
    {
        { "staged-depth", new IdentityLayers(4) },
        { "stack", new CopyLayers(5, LayerMapKind.Stack) },
        { "hyper-cloning", new HyperCloning { HiddenSize = 24, FfnSize = 12 } },
        { "net2net", new Net2Net { HiddenSize = 12, FfnSize = 11 } },
        { "aki", new Aki { HiddenSize = 12, FfnSize = 11 } },
        { "lemon", new Lemon { HiddenSize = 20, FfnSize = 15, Seed = 5 } },
        { "center-tiling", new CenterTiling { HiddenSize = 16, FfnSize = 11, Count = 3 } },
    };

    [Theory]
    [MemberData(nameof(Grows))]
    public void AsTheirPapersSay(string method, GrowthOperator growth)
    {
        using Golden golden = Golden.Open("growth");
        using TrainingState grown = Grown(golden, growth);
        foreach (Parameter parameter in grown.Model.Parameters)
        {
            Compare(golden[$"{method}.{parameter.Name}"], parameter.Value, parameter.Name);
        }
    }

    /// <summary>The fresh weights are those of the grown model's own initialisation; of vectors the paper says nothing.</summary>
    [Fact]
    public void ZeroPaddingUponFreshWeights()
    {
        using Golden golden = Golden.Open("growth");
        using TrainingState grown = Grown(golden, new ZeroPadWidth { HiddenSize = 12, FfnSize = 11 });
        ModelConfig config = grown.Model.Config;
        using ParameterSet fresh = ParameterSet.Initialize(
            grown.Model.Architecture.Parameters(config), config, config.Layers, WidthSample.Context.Seed, Device.Cpu);
        foreach ((Parameter parameter, Parameter initial) in grown.Model.Parameters.Zip(fresh))
        {
            if (parameter.Spec.Axes.Count > 1)
            {
                Compare(golden["zero-pad." + parameter.Name] + initial.Value, parameter.Value, parameter.Name);
            }
        }
    }

    private static TrainingState Grown(Golden golden, GrowthOperator growth, bool tied = false)
    {
        ModelConfig config = golden.Model() with { TiedHead = tied };
        ParameterSet parameters = golden.Parameters(config);
        var optimizer = new OptimizerState(new AdamW(new AdamWConfig()), parameters.Select(parameter => KeyValuePair.Create(parameter.Name, new ParameterState(
            new Dictionary<string, Slot>
            {
                [AdamW.ExpAvg] = new(golden[$"{AdamW.ExpAvg}.{parameter.Name}"], Follows.Gradient),
                [AdamW.ExpAvgSq] = new(golden[$"{AdamW.ExpAvgSq}.{parameter.Name}"], Follows.Square),
            },
            3))));
        return growth.Apply(new TrainingState(Model.Of(config, parameters), optimizer, new TrainingPosition()), WidthSample.Context);
    }

    /// <summary>Equal to rounding, but where the expected is NaN, which is where the method leaves the value open.</summary>
    private static void Compare(Tensor expected, Tensor actual, string what)
    {
        Assert.Equal(expected.Shape, actual.Shape);
        double[] values = Near.Values(actual);
        Near.Equal([.. Near.Values(expected).Select((value, i) => double.IsNaN(value) ? values[i] : value)], values, 1e-6, what);
    }
}
