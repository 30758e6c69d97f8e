using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Tests.Optimization;

/// <summary>AdamW where what a growth has added has a learning rate of its own.</summary>
public class LearningRatesTests
{
    private const string AllNew = "transformer.wpe.weight", Mixed = "transformer.wte.weight", MixedVector = "transformer.ln_f.bias";

    // Of the token embedding (31, 16): two rows and three columns; of the bias of the last norm: four places.
    private static readonly Dictionary<string, NewUnits> New = new()
    {
        [AllNew] = NewUnits.All,
        [Mixed] = new NewUnits([[3, 30], [0, 7, 15]]),
        [MixedVector] = new NewUnits([[0, 1, 2, 15]]),
    };

    private static readonly AdamW Optimizer = new(new AdamWConfig { WeightDecay = 0.3 });

    /// <summary>Each element as with its own rate alone: what is not mixed in the very bits, moments always.</summary>
    [Theory]
    [InlineData(0.01, 0.003)]
    [InlineData(0.01, 0.013)]
    public void EveryElementHasItsOwnRate(double rate, double ofNew)
    {
        using Outcome both = new(new LearningRates(rate, ofNew)), old = new(rate), young = new(ofNew);
        foreach (Parameter parameter in both.Parameters)
        {
            (Tensor ifOld, Tensor ifNew) = (old.Of(parameter.Name), young.Of(parameter.Name));
            switch (New.GetValueOrDefault(parameter.Name))
            {
                case null:
                    Near.Identical(ifOld, parameter.Value, parameter.Name);
                    break;
                case { Places: null }:
                    Near.Identical(ifNew, parameter.Value, parameter.Name);
                    break;
                default:
                    bool[] isNew = IsNew(parameter);
                    Assert.Contains(true, isNew);
                    Assert.Contains(false, isNew);
                    Near.Equal(
                        [.. Near.Values(ifOld).Zip(Near.Values(ifNew), isNew).Select(at => at.Third ? at.Second : at.First)],
                        Near.Values(parameter.Value), 3e-7, parameter.Name);
                    break;
            }

            foreach (string slot in new[] { AdamW.ExpAvg, AdamW.ExpAvgSq })
            {
                Near.Equal(old.State[parameter.Name].Slots[slot].Value, both.State[parameter.Name].Slots[slot].Value, 1e-6, slot);
            }
        }
    }

    /// <summary>A rate of 0 leaves alone what it is for, decay included, in the very bits.</summary>
    [Theory]
    [InlineData(0.01, 0)]
    [InlineData(0, 0.01)]
    public void ARateOfZeroLeavesItsElementsAlone(double rate, double ofNew)
    {
        using ParameterSet before = Gradients.Of(_ => 0);
        using Outcome both = new(new LearningRates(rate, ofNew));
        foreach (Parameter parameter in both.Parameters)
        {
            bool[] isNew = IsNew(parameter);
            float[] was = before.Single(other => other.Name == parameter.Name).Value.ToArray<float>();
            float[] has = parameter.Value.ToArray<float>();
            for (int i = 0; i < was.Length; i++)
            {
                Assert.True(was[i] == has[i] == (isNew[i] ? ofNew == 0 : rate == 0), $"{parameter.Name}[{i}]: {was[i]} -> {has[i]}");
            }
        }
    }

    [Fact]
    public void EqualRatesAreOneRate()
    {
        using Outcome both = new(new LearningRates(0.01, 0.01)), one = new(0.01, isNewKnown: false);
        Assert.All(both.Parameters, parameter => Near.Identical(one.Of(parameter.Name), parameter.Value, parameter.Name));
    }

    private static bool[] IsNew(Parameter parameter)
    {
        long width = parameter.Spec.Shape[^1];
        NewUnits? added = New.GetValueOrDefault(parameter.Name);
        return
        [
            .. Enumerable.Range(0, (int)parameter.Value.Count).Select(i => added is not null
                && (added.Places is not { } places
                    || (places.Count == 1 ? places[0]!.Contains(i)
                        : places[0]!.Contains((int)(i / width)) || places[1]!.Contains((int)(i % width))))),
        ];
    }

    /// <summary>What three updates make of known gradients.</summary>
    private sealed class Outcome : IDisposable
    {
        public Outcome(LearningRates rates, bool isNewKnown = true)
        {
            Parameters = Gradients.Of(i => 0.1 * (i - 7.5));
            State = new OptimizerState(Optimizer, Parameters.Select(parameter => KeyValuePair.Create(
                parameter.Name,
                new ParameterState(ParameterState.Begin(Optimizer, parameter.Spec, Device.Cpu).Slots) { New = isNewKnown ? New.GetValueOrDefault(parameter.Name) : null })));
            for (int step = 0; step < 3; step++)
            {
                Optimizer.Step(Parameters, State, 0.5, rates);
            }
        }

        public ParameterSet Parameters { get; }

        public OptimizerState State { get; }

        public Tensor Of(string name) => Parameters.Single(parameter => parameter.Name == name).Value;

        public void Dispose()
        {
            Parameters.Dispose();
            State.Dispose();
        }
    }
}
