using Espalier.Models;

namespace Espalier.Optimization;

/// <summary>An update rule whose learning rates carry over to other sizes.</summary>
/// <param name="rule">The rule.</param>
/// <param name="mup">How rates go with sizes.</param>
internal sealed class MupOptimizer(IOptimizer rule, Mup mup) : IOptimizer
{
    /// <inheritdoc/>
    public IReadOnlyDictionary<string, Follows> Slots(ParameterSpec parameter) => rule.Slots(parameter);

    /// <inheritdoc/>
    public FlopsCount UpdateCost(ParameterSpec parameter) => rule.UpdateCost(parameter);

    /// <inheritdoc/>
    public bool IsElementwise(ParameterSpec parameter) => rule.IsElementwise(parameter);

    /// <inheritdoc/>
    public double UpdateNorm(ParameterSpec parameter, Fans fans, double gradientNorm) => rule.UpdateNorm(parameter, fans, gradientNorm);

    /// <inheritdoc/>
    public void Update(Parameter parameter, ParameterState state, double gradientScale, ElementRates rates)
    {
        ParameterSpec spec = parameter.Spec;
        rule.Update(parameter, state, gradientScale, rates with
        {
            Scale = mup.RateFactor(spec, Norm),
            Scales = parameter.Matching(mup.RateFactors(spec, Norm, parameter.Value.Device)),
        });

        double Norm(Fans fans, double gradientNorm) => rule.UpdateNorm(spec, fans, gradientNorm);
    }
}
