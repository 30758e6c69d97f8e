using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Tests.Growth;
using Espalier.Torch;

namespace Espalier.Tests.Optimization;

public class MuonTests
{
    private static readonly Muon Muon = new(new MuonConfig());
    private static readonly MuonNsgd MuonNsgd = new(new MuonNsgdConfig());

    /// <summary>
    /// C the width, F = 4 C: queries, keys, values and output are four squares, 5 (4 + 2) C^3 each; the feed-forward layer two of
    /// C x 4 C, 5 (4 x 4 + 2) C^3 each. Together 300 C^3 a layer.
    /// </summary>
    [Fact]
    public void ItsProductsCost300CubesOfTheWidthALayer()
    {
        foreach (ModelConfig model in new ModelConfig[] { GrowthSample.Gpt2(3), GrowthSample.Bert(3) })
        {
            IReadOnlyList<ParameterSpec> parameters = model.Architecture.Parameters(model);
            double expected = 3 * 300.0 * Math.Pow(model.HiddenSize, 3);
            Assert.Equal(new FlopsCount(expected, 0, 0), Cost(Muon, parameters));
            FlopsCount all = Cost(MuonNsgd, parameters);
            Assert.Equal(expected, all.Layers);
            Assert.True(all.Head > 0);
            Assert.Equal(default, Cost(new AdamW(new AdamWConfig()), parameters));
            Assert.Equal(default, Cost(new Sgd(new SgdConfig()), parameters));
        }

        static FlopsCount Cost(IOptimizer optimizer, IReadOnlyList<ParameterSpec> parameters) =>
            parameters.Aggregate(default(FlopsCount), (sum, parameter) => sum + optimizer.UpdateCost(parameter));
    }

    [Fact]
    public void AnUpdateChargesTheParametersThatItUpdates()
    {
        using ParameterSet parameters = Gradients.Of(_ => 1);
        using var state = OptimizerState.Begin(Muon, parameters);
        double whole = 300 * Math.Pow(16, 3);
        Assert.Equal(whole, Muon.Step(parameters, state, 1, 0.1).Layers);
        parameters[0, "attn.c_attn.weight"].ClearGrad();
        Assert.Equal(whole - (3 * 30 * Math.Pow(16, 3)), Muon.Step(parameters, state, 1, 0.1).Layers);
    }

    /// <summary>Queries, keys and values get the updates that they would get as matrices of their own.</summary>
    [Fact]
    public void QueriesKeysAndValuesAreMatricesByThemselves()
    {
        ParameterSpec fused = Spec("attn.c_attn.weight");
        Tensor gradient = Sample.Normal(9, fused.Shape);
        Tensor together = new MatrixParts(fused).Orthogonal(gradient);
        for (int part = 0; part < 3; part++)
        {
            Near.Identical(
                NewtonSchulz.Orthogonal(gradient.Narrow(1, 16 * part, 16)), together.Narrow(1, 16 * part, 16).Clone(), $"part {part}");
        }

        Assert.False(Near.Bytes(NewtonSchulz.Orthogonal(gradient)).SequenceEqual(Near.Bytes(together)));
        Assert.Equal((16.0, 16.0), (new MatrixParts(fused).Fans.In, new MatrixParts(fused).Fans.Out));
        Assert.Equal((16.0, 64.0), (new MatrixParts(Spec("mlp.c_fc.weight")).Fans.In, new MatrixParts(Spec("mlp.c_fc.weight")).Fans.Out));

        static ParameterSpec Spec(string role) => GrowthSample.Gpt2(1).Architecture.Parameters(GrowthSample.Gpt2(1)).Single(spec => spec.Role == role);
    }

    [Fact]
    public void MatricesOfLayersRememberOneMeanAndAllElseAdamWs()
    {
        using ParameterSet parameters = Sample.Parameters(GrowthSample.Gpt2(2));
        using var state = OptimizerState.Begin(Muon, parameters);
        Assert.All(parameters, parameter => Assert.Equal(
            parameter.Spec is { Layer: not null, Axes.Count: 2 } ? ["momentum"] : ["exp_avg", "exp_avg_sq"],
            state[parameter.Name].Slots.Keys.Order(StringComparer.Ordinal)));
    }

    /// <summary>Layers come to a model that has none: what is remembered of them follows from the rule, not from other layers.</summary>
    [Theory]
    [InlineData(0, MomentPolicy.Map)]
    [InlineData(1, MomentPolicy.Keep)]
    [InlineData(1, MomentPolicy.Map)]
    [InlineData(1, MomentPolicy.Reset)]
    public void GrowthGivesNewLayersTheirSlots(int layers, MomentPolicy moments)
    {
        var state = TrainingState.Begin(GrowthSample.Gpt2(layers), 2, Muon, 1, Device.Cpu);
        foreach (ParameterState own in state.Optimizer.Select(own => own.Value))
        {
            Assert.All(own.Slots.Values, slot => slot.Value.Fill(0.5));
        }

        GrowthOperator growth = layers == 0
            ? new FreshLayers(2) { Moments = moments }
            : new CopyLayers(2, LayerMapKind.Stack) { Moments = moments };
        using TrainingState grown = growth.Apply(state, GrowthSample.NoContext);
        Assert.Same(Muon, grown.Optimizer.Rule);
        foreach (Parameter parameter in grown.Model.Parameters)
        {
            ParameterState own = grown.Optimizer[parameter.Name];
            Assert.Equal(Muon.Slots(parameter.Spec).Keys, own.Slots.Keys);
            bool remembers = moments switch
            {
                MomentPolicy.Reset => false,
                MomentPolicy.Map => layers > 0 || parameter.Spec.Layer is null,
                _ => parameter.Spec.Layer is null or 0,
            };
            Assert.All(own.Slots.Values, slot => Near.Identical(Tensor.Full(parameter.Spec.Shape, remembers ? 0.5 : 0), slot.Value));
        }
    }

    /// <summary>The mean of gradients shrinks as gradients do where width doubles.</summary>
    [Fact]
    public void DoubledWidthScalesTheMeanAsTheGradient()
    {
        var state = TrainingState.Begin(GrowthSample.Gpt2(1), 1, Muon, 1, Device.Cpu);
        state.Optimizer["transformer.h.0.mlp.c_fc.weight"].Slots[Muon.Momentum].Value.Fill(1);
        var adam = TrainingState.Begin(GrowthSample.Gpt2(1), 1, new AdamW(new AdamWConfig()), 1, Device.Cpu);
        adam.Optimizer["transformer.h.0.mlp.c_fc.weight"].Slots[AdamW.ExpAvg].Value.Fill(1);
        using TrainingState grown = new DoubleWidth().Apply(state, GrowthSample.NoContext);
        using TrainingState reference = new DoubleWidth().Apply(adam, GrowthSample.NoContext);
        Near.Identical(
            reference.Optimizer["transformer.h.0.mlp.c_fc.weight"].Slots[AdamW.ExpAvg].Value,
            grown.Optimizer["transformer.h.0.mlp.c_fc.weight"].Slots[Muon.Momentum].Value);
    }

    public static TheoryData<OptimizerConfig> Configs =>
        [new MuonConfig { WeightDecay = 0.3, AdamwRate = 0.5 }, new MuonNsgdConfig { WeightDecay = 0.3 }, new SgdConfig { WeightDecay = 0.3 }];

    /// <summary>Each element as with its own rate alone.</summary>
    [Theory]
    [MemberData(nameof(Configs))]
    public void EveryElementHasItsOwnRate(OptimizerConfig config)
    {
        const string Name = "transformer.h.0.mlp.c_fc.weight";
        var added = new NewUnits([null, [0, 5, 63]]);
        double[] both = After(new LearningRates(0.01, 0.03)), old = After(0.01), young = After(0.03);
        Near.Equal([.. both.Select((_, i) => (i % 64) is 0 or 5 or 63 ? young[i] : old[i])], both, 3e-7);

        double[] After(LearningRates rates)
        {
            IOptimizer optimizer = config.Create();
            using ParameterSet parameters = Gradients.Of(i => 0.1 * (i + 1));
            using var state = new OptimizerState(optimizer, parameters.Select(parameter => KeyValuePair.Create(
                parameter.Name, new ParameterState(ParameterState.Begin(optimizer, parameter.Spec, Device.Cpu).Slots) { New = parameter.Name == Name ? added : null })));
            optimizer.Step(parameters, state, 0.5, rates);
            return Near.Values(parameters.Single(parameter => parameter.Name == Name).Value);
        }
    }

    [Theory]
    [MemberData(nameof(Configs))]
    public void AParameterWithoutAGradientStaysAsItIsAndSoDoesItsCount(OptimizerConfig config)
    {
        using ParameterSet parameters = Gradients.Of(_ => 1);
        Tensor still = parameters[0, "mlp.c_fc.weight"];
        still.ClearGrad();
        using var before = still.Clone();
        IOptimizer optimizer = config.Create();
        using var state = OptimizerState.Begin(optimizer, parameters);
        optimizer.Step(parameters, state, 1, 0.1);
        Near.Identical(before, still);
        Assert.All(state, own => Assert.Equal(own.Key == "transformer.h.0.mlp.c_fc.weight" ? 0 : 1, own.Value.Steps));
    }
}
