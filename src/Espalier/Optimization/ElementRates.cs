using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Optimization;

/// <summary>The learning rate of every element of a parameter.</summary>
/// <param name="Rate">Of all.</param>
/// <param name="Factors">What it is multiplied by element by element, where growth has added some; null for 1 everywhere.</param>
public readonly record struct ElementRates(double Rate, Tensor? Factors = null)
{
    /// <summary>
    /// What updates are multiplied by and the decay of weights is not, as the parametrization wants it (<see cref="Models.Mup"/>).
    /// </summary>
    public double Scale { get; init; } = 1;

    /// <summary>The same, element by element, besides; null for 1 everywhere.</summary>
    public Tensor? Scales { get; init; }

    /// <summary>The rates of a parameter, of which some elements may be new.</summary>
    internal static ElementRates Of(ParameterState state, Parameter parameter, LearningRates rates)
    {
        if (state.New is null || rates.New == rates.Rate)
        {
            return new ElementRates(rates.Rate);
        }

        if (state.New.Places is null)
        {
            return new ElementRates(rates.New);
        }

        // Factors on a rate of 1: either rate may be 0.
        Tensor isNew = parameter.Matching(state.NewElements(parameter))!;
        return new ElementRates(1, (isNew * (rates.New - rates.Rate)) + Tensor.Full([], rates.Rate, device: parameter.Value.Device));
    }

    /// <summary>A change times the rates.</summary>
    internal Tensor Times(Tensor change) => Factors is null ? change * Rate : change * Rate * Factors;

    /// <summary>Subtracts a direction and the decay of the weights, both times the rates, in place.</summary>
    internal void Descend(Tensor parameter, Tensor direction, double weightDecay)
    {
        Tensor scaled = Scale == 1 ? direction : direction * Scale;
        scaled = Scales is null ? scaled : scaled * Scales;
        parameter.CopyFrom(parameter - Times(weightDecay > 0 ? scaled + (parameter * weightDecay) : scaled));
    }

    /// <summary>
    /// Rate, decay and factors for a rule that multiplies all of them. Where no one decay is right for all elements, the weights decay here.
    /// </summary>
    internal (double Rate, double Decay, Tensor? Factors) WithDecay(Tensor parameter, double weightDecay)
    {
        if (Scales is null)
        {
            return (Rate * Scale, weightDecay / Scale, Factors);
        }

        if (weightDecay > 0)
        {
            parameter.CopyFrom(parameter - Times(parameter * weightDecay));
        }

        return (Rate * Scale, 0, Factors is null ? Scales : Factors * Scales);
    }
}
