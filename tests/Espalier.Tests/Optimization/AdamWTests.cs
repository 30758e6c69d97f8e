using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Tests.Optimization;

public class AdamWTests
{
    [Fact]
    public void DecayShrinksMatricesOnly()
    {
        using ParameterSet parameters = Gradients.Of(_ => 0);
        var optimizer = new AdamW(new AdamWConfig { WeightDecay = 0.5 });
        using var state = OptimizerState.Begin(optimizer, parameters);
        var before = parameters.ToDictionary(parameter => parameter.Name, parameter => parameter.Value.Clone());
        optimizer.Step(parameters, state, gradientScale: 1, rates: 0.1);
        foreach (Parameter parameter in parameters)
        {
            Near.Equal(before[parameter.Name] * (parameter.Spec.Shape.Length == 2 ? 0.95 : 1), parameter.Value, 1e-6, parameter.Name);
        }
    }

    [Fact]
    public void TheFirstStepMovesEveryWeightByTheLearningRateAgainstItsGradient()
    {
        using ParameterSet parameters = Gradients.Of(i => i % 2 == 0 ? 3 : -0.01);
        var optimizer = new AdamW(new AdamWConfig { WeightDecay = 0 });
        using var state = OptimizerState.Begin(optimizer, parameters);
        var before = parameters.ToDictionary(parameter => parameter.Name, parameter => parameter.Value.Clone());
        optimizer.Step(parameters, state, gradientScale: 1, rates: 0.01);
        Assert.All(state, own => Assert.Equal(1, own.Value.Steps));
        int i = 0;
        foreach (Parameter parameter in parameters)
        {
            double change = i++ % 2 == 0 ? -0.01 : 0.01;
            Near.Equal(before[parameter.Name] + Tensor.Full([1], change), parameter.Value, 1e-5, parameter.Name);
        }
    }

    [Fact]
    public void GradientsAreScaledOnTheWay()
    {
        using ParameterSet parameters = Gradients.Of(i => 0.25 * (i + 1));
        Assert.Equal(0.1 * 0.25 * 0.5, FirstMoment(scale: 0.5), 6);
        Assert.Equal(0.1 * 0.25, FirstMoment(scale: 1), 6);

        double FirstMoment(double scale)
        {
            var optimizer = new AdamW(new AdamWConfig());
            using var state = OptimizerState.Begin(optimizer, parameters);
            optimizer.Step(parameters, state, scale, rates: 0);
            return Near.Values(state["transformer.wte.weight"].Slots[AdamW.ExpAvg].Value)[0];
        }
    }

    [Fact]
    public void AParameterWithoutAGradientStaysAsItIsAndSoDoesItsCount()
    {
        using ParameterSet parameters = Gradients.Of(_ => 1);
        Parameter still = parameters.First(parameter => parameter.Name == "transformer.wpe.weight");
        still.Value.ClearGrad();
        var optimizer = new AdamW(new AdamWConfig());
        using var state = OptimizerState.Begin(optimizer, parameters);
        using var before = still.Value.Clone();
        optimizer.Step(parameters, state, 1, 0.1);
        Near.Identical(before, still.Value);
        Near.Identical(Tensor.ZerosLike(before), state[still.Name].Slots[AdamW.ExpAvgSq].Value);
        Assert.All(state, own => Assert.Equal(own.Key == still.Name ? 0 : 1, own.Value.Steps));
    }

    /// <summary>One that joins late is corrected by its own count: its first update is as large as anyone's first.</summary>
    [Fact]
    public void EachParameterIsCorrectedByItsOwnCount()
    {
        using ParameterSet parameters = Gradients.Of(_ => 1);
        Parameter late = parameters.First(parameter => parameter.Name == "transformer.wpe.weight");
        var optimizer = new AdamW(new AdamWConfig { WeightDecay = 0 });
        using var state = OptimizerState.Begin(optimizer, parameters);
        late.Value.ClearGrad();
        for (int step = 0; step < 20; step++)
        {
            optimizer.Step(parameters, state, 1, 0.01);
        }

        using var before = late.Value.Clone();
        (late.Value * 1.0).Sum().Backward();
        optimizer.Step(parameters, state, 1, 0.01);
        Assert.Equal((1L, 21L), (state[late.Name].Steps, state["transformer.wte.weight"].Steps));
        Near.Equal(before + Tensor.Full([1], -0.01), late.Value, 1e-5);
    }
}
