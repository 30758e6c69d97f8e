using Espalier.Torch;

namespace Espalier.Optimization;

/// <summary>The learning rate of every element of a parameter.</summary>
/// <param name="Rate">Of all.</param>
/// <param name="Factors">What it is multiplied by element by element, where growth has added some; null for 1 everywhere.</param>
public readonly record struct ElementRates(double Rate, Tensor? Factors = null)
{
    /// <summary>The rates of a parameter, of which some elements may be new.</summary>
    internal static ElementRates Of(ParameterState state, Tensor parameter, LearningRates rates)
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
        Tensor isNew = state.NewElements(parameter);
        return new ElementRates(1, (isNew * (rates.New - rates.Rate)) + Tensor.Full([], rates.Rate, device: parameter.Device));
    }

    /// <summary>A change times the rates.</summary>
    internal Tensor Times(Tensor change) => Factors is null ? change * Rate : change * Rate * Factors;

    /// <summary>Subtracts a direction and the decay of the weights, both times the rates, in place.</summary>
    internal void Descend(Tensor parameter, Tensor direction, double weightDecay) =>
        parameter.CopyFrom(parameter - Times(weightDecay > 0 ? direction + (parameter * weightDecay) : direction));
}
