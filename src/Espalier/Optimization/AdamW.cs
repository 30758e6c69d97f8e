using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Optimization;

/// <summary>AdamW (Loshchilov and Hutter 2019). As in PyTorch, each parameter counts its own steps.</summary>
/// <param name="config">Its constants.</param>
public sealed class AdamW(OptimizerConfig config) : IOptimizer
{
    /// <summary>The slot that holds the running mean of the gradient.</summary>
    public const string ExpAvg = "exp_avg";

    /// <summary>The slot that holds the running mean of the gradient's square.</summary>
    public const string ExpAvgSq = "exp_avg_sq";

    /// <inheritdoc/>
    public ParameterState Begin(Parameter parameter) => new(new Dictionary<string, Slot>
    {
        [ExpAvg] = new(Tensor.ZerosLike(parameter.Value), Follows.Gradient),
        [ExpAvgSq] = new(Tensor.ZerosLike(parameter.Value), Follows.Square),
    });

    /// <inheritdoc/>
    public void Step(ParameterSet parameters, OptimizerState state, double gradientScale, LearningRates rates)
    {
        using var scope = new TensorScope();
        foreach (Parameter parameter in parameters)
        {
            if (parameter.Value.Grad is not Tensor gradient)
            {
                continue;
            }

            ParameterState own = state[parameter.Name];
            own.Steps++;
            (double rate, Tensor? factors) = RatesOf(own, parameter.Value, rates);
            Optimizers.AdamW(
                parameter.Value, gradient, own.Slots[ExpAvg].Value, own.Slots[ExpAvgSq].Value, gradientScale, rate,
                config.Beta1, config.Beta2, config.Epsilon, parameter.Spec.Decays ? config.WeightDecay : 0, own.Steps,
                factors);
        }
    }

    /// <summary>The rate of a parameter, and what it is multiplied by element by element where some are new.</summary>
    private static (double Rate, Tensor? Factors) RatesOf(ParameterState state, Tensor parameter, LearningRates rates)
    {
        if (state.New is null || rates.New == rates.Rate)
        {
            return (rates.Rate, null);
        }

        if (state.New.Places is null)
        {
            return (rates.New, null);
        }

        // Factors on a rate of 1: either rate may be 0.
        Tensor isNew = state.NewElements(parameter);
        return (1, (isNew * (rates.New - rates.Rate)) + Tensor.Full([], rates.Rate, device: parameter.Device));
    }
}
