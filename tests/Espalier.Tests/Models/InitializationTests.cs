using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Tests.Models;

public class InitializationTests
{
    private static readonly Gpt2Config Model = new()
    {
        Layers = 2, HiddenSize = 64, Heads = 2, ContextLength = 128, VocabularySize = 300, InitializerRange = 0.05, TiedHead = false,
    };

    [Fact]
    public void EveryKindHasItsMeanAndDeviation()
    {
        using ParameterSet parameters = Make(Model, finalLayers: 8, seed: 3);
        foreach (Parameter parameter in parameters)
        {
            double[] values = Near.Values(parameter.Value);
            if (parameter.Spec.Axes.Count == 1)
            {
                double expected = parameter.Name.Contains("ln_", StringComparison.Ordinal)
                    && parameter.Name.EndsWith("weight", StringComparison.Ordinal) ? 1 : 0;
                Assert.All(values, value => Assert.Equal(expected, value));
                continue;
            }

            // GPT-2: what is added to the residual stream starts smaller by the root of the number of additions.
            double deviation = parameter.Name.Contains("c_proj", StringComparison.Ordinal) ? 0.05 / 4 : 0.05;
            double mean = values.Average();
            double measured = Math.Sqrt(values.Average(value => (value - mean) * (value - mean)));
            Assert.InRange(mean, -5 * deviation / Math.Sqrt(values.Length), 5 * deviation / Math.Sqrt(values.Length));
            Assert.InRange(measured / deviation, 0.95, 1.05);
            Assert.InRange(values.Max(Math.Abs) / deviation, 2.5, 6);
        }
    }

    [Fact]
    public void IsAFunctionOfTheSeed()
    {
        using ParameterSet first = Make(Model, 8, 3), again = Make(Model, 8, 3), other = Make(Model, 8, 4);
        foreach ((Parameter a, Parameter b, Parameter c) in first.Zip(again, other))
        {
            Near.Identical(a.Value, b.Value, a.Name);
            Assert.True(a.Spec.Axes.Count == 1 || !Near.Bytes(a.Value).SequenceEqual(Near.Bytes(c.Value)), a.Name);
        }
    }

    /// <summary>So that every method starts from the same weights, however few layers it begins with.</summary>
    [Fact]
    public void ALayerStartsAlikeHoweverManyAreStored()
    {
        using ParameterSet one = Make(Model with { Layers = 1 }, 8, 3), eight = Make(Model with { Layers = 8 }, 8, 3);
        var byName = eight.ToDictionary(parameter => parameter.Name, parameter => parameter.Value);
        Assert.All(one, parameter => Near.Identical(byName[parameter.Name], parameter.Value, parameter.Name));
    }

    /// <summary>A matrix of GPT-3's width has 604 million numbers: they are made in pieces, to the same effect.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(12)]
    [InlineData(1 << 20)]
    public void PiecesMakeTheWhole(int piece)
    {
        var random = new CounterRandom(3, RandomPurpose.Initialization, 1, 2);
        var whole = new float[7 * 13];
        random.FillNormal(whole, 0.02);
        using Tensor made = ParameterSet.Normal([7, 13], 0.02, random, Device.Cpu, piece);
        Assert.Equal(whole, made.ToArray<float>());
    }

    /// <summary>Far behind where an int ends, the row goes on as a plain count of its blocks says.</summary>
    [Fact]
    public void APieceMayLieFarBehind()
    {
        var random = new CounterRandom(3, RandomPurpose.Initialization);
        const long Begin = 3L << 31;
        var piece = new float[4];
        random.FillNormal(piece, 1, Begin);
        random.Block((uint)(Begin / 4), out uint a, out uint b, out _, out _);
        double radius = Math.Sqrt(-2 * Math.Log((a + 1.0) / 4294967296.0)), angle = 2 * Math.PI * (b / 4294967296.0);
        Assert.Equal([(float)(radius * Math.Cos(angle)), (float)(radius * Math.Sin(angle))], piece[..2]);
    }

    [Fact]
    public void NoTwoParametersShareTheirNumbers()
    {
        using ParameterSet parameters = Make(Model with { Layers = 8 }, 8, 3);
        var starts = parameters.Where(parameter => parameter.Spec.Axes.Count == 2)
            .Select(parameter => Near.Values(parameter.Value)[0] * (parameter.Name.Contains("c_proj", StringComparison.Ordinal) ? 4 : 1))
            .Select(value => Math.Round(value, 6));
        Assert.Equal((8 * 4) + 3, starts.Distinct().Count());
    }

    [Fact]
    public void EveryParameterIsTrainableAndCounted()
    {
        using ParameterSet parameters = Make(Model, 8, 3);
        Assert.All(parameters, parameter => Assert.True(parameter.Value.RequiresGrad));
        Assert.Equal(Architecture.Parameters(Model).Count, parameters.Count);
        Assert.Equal(parameters.Sum(parameter => Near.Values(parameter.Value).LongLength), parameters.ElementCount);
        Assert.Same(parameters.First(parameter => parameter.Name == "transformer.h.1.ln_2.bias").Value, parameters[1, "ln_2.bias"]);
    }

    private static readonly Gpt2 Architecture = new();

    private static ParameterSet Make(ModelConfig model, int finalLayers, ulong seed) =>
        ParameterSet.Initialize(Architecture.Parameters(model), model, finalLayers, seed, Device.Cpu);
}
