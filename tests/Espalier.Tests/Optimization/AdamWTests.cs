using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Tests.Optimization;

public class AdamWTests
{
    private static readonly ModelConfig Model = Sample.Model(1);

    [Fact]
    public void DecayShrinksMatricesOnly()
    {
        using ParameterSet parameters = WithGradient(_ => 0);
        using AdamWState state = Empty(parameters);
        var before = parameters.ToDictionary(parameter => parameter.Name, parameter => parameter.Value.Clone());
        new AdamW(new OptimizerConfig { WeightDecay = 0.5 }).Step(parameters, state, gradientNorm: 0, learningRate: 0.1);
        foreach (Parameter parameter in parameters)
        {
            Near.Equal(before[parameter.Name] * (parameter.Spec.Shape.Length == 2 ? 0.95 : 1), parameter.Value, 1e-6, parameter.Name);
        }
    }

    [Fact]
    public void TheFirstStepMovesEveryWeightByTheLearningRateAgainstItsGradient()
    {
        using ParameterSet parameters = WithGradient(i => i % 2 == 0 ? 3 : -0.01);
        using AdamWState state = Empty(parameters);
        var before = parameters.ToDictionary(parameter => parameter.Name, parameter => parameter.Value.Clone());
        new AdamW(new OptimizerConfig { WeightDecay = 0, ClipNorm = 0 })
            .Step(parameters, state, AdamW.GradientNorm(parameters), learningRate: 0.01);
        Assert.Equal(1, state.StepCount);
        int i = 0;
        foreach (Parameter parameter in parameters)
        {
            double change = i++ % 2 == 0 ? -0.01 : 0.01;
            Near.Equal(before[parameter.Name] + Tensor.Full([1], change), parameter.Value, 1e-5, parameter.Name);
        }
    }

    [Fact]
    public void ClippingScalesGradientsToTheNormAndNoFurther()
    {
        using ParameterSet parameters = WithGradient(i => 0.25 * (i + 1));
        double norm = AdamW.GradientNorm(parameters);
        Assert.Equal(
            Math.Sqrt(parameters.Select((parameter, i) => parameter.Value.Count * Math.Pow(0.25 * (i + 1), 2)).Sum()), norm, 3);

        Assert.Equal(0.1 * 0.25 * 2 / norm, FirstMoment(clip: 2), 6);
        Assert.Equal(0.1 * 0.25, FirstMoment(clip: 2 * norm), 6);
        Assert.Equal(0.1 * 0.25, FirstMoment(clip: 0), 6);

        double FirstMoment(double clip)
        {
            using AdamWState state = Empty(parameters);
            new AdamW(new OptimizerConfig { ClipNorm = clip }).Step(parameters, state, norm, learningRate: 0);
            return Near.Values(state.Moments["transformer.wte.weight"].ExpAvg)[0];
        }
    }

    [Fact]
    public void AParameterWithoutAGradientStaysAsItIs()
    {
        using ParameterSet parameters = WithGradient(_ => 1);
        Parameter still = parameters.First(parameter => parameter.Name == "transformer.wpe.weight");
        double whole = AdamW.GradientNorm(parameters);
        still.Value.ClearGrad();
        Assert.Equal(Math.Sqrt((whole * whole) - still.Value.Count), AdamW.GradientNorm(parameters), 3);

        using AdamWState state = Empty(parameters);
        using Tensor before = still.Value.Clone();
        new AdamW(new OptimizerConfig()).Step(parameters, state, 1, 0.1);
        Near.Identical(before, still.Value);
        Near.Identical(Tensor.ZerosLike(before), state.Moments[still.Name].ExpAvgSq);
    }

    /// <summary>Every element of parameter i has the gradient that the function gives.</summary>
    private static ParameterSet WithGradient(Func<int, double> gradient)
    {
        ParameterSet parameters = Sample.Parameters(Model);
        int i = 0;
        foreach (Parameter parameter in parameters)
        {
            (parameter.Value * gradient(i++)).Sum().Backward();
        }

        return parameters;
    }

    private static AdamWState Empty(ParameterSet parameters) =>
        new(parameters.ToDictionary(parameter => parameter.Name, parameter => Moments.Empty(parameter.Value)), 0);
}
