using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Tests.Growth;

public class DepthGrowthTests
{
    private static readonly TrainingPosition Position = new()
    {
        Step = 40, Tokens = 5000, GrowthsDone = 1, Flops = new FlopsCount(1, 2, 3), Seconds = 4.5,
    };

    public static TheoryData<LayerMapKind, MomentPolicy, int, int> Cases()
    {
        var cases = new TheoryData<LayerMapKind, MomentPolicy, int, int>();
        foreach (LayerMapKind map in Enum.GetValues<LayerMapKind>())
        {
            foreach (MomentPolicy moments in Enum.GetValues<MomentPolicy>())
            {
                cases.Add(map, moments, 1, 3);
                cases.Add(map, moments, 3, 8);
            }
        }

        return cases;
    }

    /// <summary>Bit for bit: new layers are copies through the map, and everything else is what it was.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void GrowsLayersAndNothingElse(LayerMapKind mapKind, MomentPolicy policy, int before, int after)
    {
        TrainingState state = State(before);
        Dictionary<string, byte[]> weights = state.Parameters.ToDictionary(p => p.Name, p => Near.Bytes(p.Value));
        Dictionary<string, (byte[] Avg, byte[] AvgSq)> moments = state.Optimizer.Moments.ToDictionary(
            pair => pair.Key, pair => (Near.Bytes(pair.Value.ExpAvg), Near.Bytes(pair.Value.ExpAvgSq)));

        using TrainingState grown = new DepthGrowth(after, mapKind, policy).Apply(state);

        int[] map = LayerMap.Build(mapKind, before, after);
        Assert.Equal(Sample.Model(after), grown.Model);
        Assert.Equal(Position, grown.Position);
        Assert.Equal(policy == MomentPolicy.Reset ? 0 : 17, grown.Optimizer.StepCount);
        Assert.Equal(new Gpt2().Parameters(grown.Model).Select(spec => spec.Name), grown.Parameters.Select(p => p.Name));
        Assert.Equal(grown.Parameters.Select(p => p.Name).Order(), grown.Optimizer.Moments.Keys.Order());
        foreach (Parameter parameter in grown.Parameters)
        {
            Assert.True(parameter.Value.RequiresGrad, parameter.Name);
            string source = InOld(parameter.Spec, layer => map[layer])!;
            Assert.True(weights[source].SequenceEqual(Near.Bytes(parameter.Value)), parameter.Name);

            string? momentSource = policy switch
            {
                MomentPolicy.Keep => InOld(parameter.Spec, layer => layer < before ? layer : null),
                MomentPolicy.Map => source,
                _ => null,
            };
            byte[] empty = new byte[weights[source].Length];
            (byte[] avg, byte[] avgSq) = momentSource is null ? (empty, empty) : moments[momentSource];
            Assert.True(avg.SequenceEqual(Near.Bytes(grown.Optimizer.Moments[parameter.Name].ExpAvg)), parameter.Name);
            Assert.True(avgSq.SequenceEqual(Near.Bytes(grown.Optimizer.Moments[parameter.Name].ExpAvgSq)), parameter.Name);
        }

        static string? InOld(ParameterSpec spec, Func<int, int?> layerOf) =>
            spec.Layer is not int layer ? spec.Name
            : layerOf(layer) is int old ? $"transformer.h.{old}.{spec.Role}" : null;
    }

    /// <summary>The "lessons" of Apollo: the grown model is the one that sharing has practised.</summary>
    [Theory]
    [InlineData(LayerMapKind.Interpolate, 6, 12)]
    [InlineData(LayerMapKind.Stack, 6, 12)]
    [InlineData(LayerMapKind.Interpolate, 1, 3)]
    [InlineData(LayerMapKind.Interpolate, 5, 8)]
    [InlineData(LayerMapKind.Stack, 5, 8)]
    public void AGrownModelComputesWhatItsLayersComputedThroughTheMap(LayerMapKind mapKind, int before, int after)
    {
        TrainingState state = State(before);
        Tensor ids = Sample.Indices(1, state.Model.Vocabulary, 2, 12);
        Tensor shared = new Gpt2().Logits(
            state.Model, state.Parameters, ids, new ForwardPlan(LayerMap.Build(mapKind, before, after)));
        using TrainingState grown = new DepthGrowth(after, mapKind, MomentPolicy.Keep).Apply(state);
        Near.Identical(shared, new Gpt2().Logits(grown.Model, grown.Parameters, ids, ForwardPlan.Plain(after)));
    }

    [Fact]
    public void CopiesOfALayerAreTrainedApart()
    {
        using TrainingState grown = new DepthGrowth(4, LayerMapKind.Interpolate, MomentPolicy.Map).Apply(State(2));
        grown.Parameters[0, "ln_1.weight"].Fill(5);
        grown.Optimizer.Moments["transformer.h.0.ln_1.weight"].ExpAvg.Fill(6);
        Assert.DoesNotContain(5, Near.Values(grown.Parameters[1, "ln_1.weight"]));
        Assert.DoesNotContain(6, Near.Values(grown.Optimizer.Moments["transformer.h.1.ln_1.weight"].ExpAvg));
    }

    [Fact]
    public void RefusesToShrinkAndLeavesTheStateWhole()
    {
        using TrainingState state = State(3);
        Assert.Throws<ArgumentOutOfRangeException>(
            () => new DepthGrowth(2, LayerMapKind.Interpolate, MomentPolicy.Keep).Apply(state));
        Assert.All(state.Parameters, parameter => Assert.NotEmpty(Near.Bytes(parameter.Value)));
    }

    /// <summary>A state in the midst of training: no weight, no moment and no counter is at its initial value.</summary>
    private static TrainingState State(int layers)
    {
        ModelConfig model = Sample.Model(layers);
        ParameterSet parameters = Sample.Parameters(model);
        var moments = parameters.Select((parameter, i) => (parameter.Name, Moments: new Moments(
            Sample.Normal(5000 + i, parameter.Spec.Shape), Sample.Normal(6000 + i, parameter.Spec.Shape))));
        return new TrainingState(
            model, parameters, new AdamWState(moments.ToDictionary(pair => pair.Name, pair => pair.Moments), 17), Position);
    }
}
