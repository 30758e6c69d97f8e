using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Optimization;

/// <summary>Stochastic gradient descent with momentum, as in PyTorch but for the weight decay, which is decoupled.</summary>
/// <param name="config">Its constants.</param>
public sealed class Sgd(SgdConfig config) : IOptimizer
{
    /// <summary>The slot that holds the sum of the gradients, each of which fades by the momentum.</summary>
    public const string MomentumBuffer = "momentum_buffer";

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, Follows> Slots(ParameterSpec parameter) => config.Momentum > 0
        ? new Dictionary<string, Follows> { [MomentumBuffer] = Follows.Gradient }
        : [];

    /// <inheritdoc/>
    public FlopsCount UpdateCost(ParameterSpec parameter) => default;

    /// <inheritdoc/>
    public bool IsElementwise(ParameterSpec parameter) => true;

    /// <inheritdoc/>
    public void Update(Parameter parameter, ParameterState state, double gradientScale, ElementRates rates)
    {
        Tensor direction = parameter.Value.Grad! * gradientScale;
        if (config.Momentum > 0)
        {
            Tensor sum = state.Slots[MomentumBuffer].Value;
            sum.CopyFrom(direction = (sum * config.Momentum) + direction);
        }

        rates.Descend(parameter.Value, direction, config.DecayOf(parameter.Spec));
    }

    /// <inheritdoc/>
    public double UpdateNorm(ParameterSpec parameter, Fans fans, double gradientNorm) => gradientNorm;
}
