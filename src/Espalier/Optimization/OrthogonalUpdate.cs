using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Optimization;

/// <summary>Muon's update of a matrix (Jordan et al. 2024): momentum with a Nesterov step, orthogonalized, scaled by the matrix's shape.</summary>
/// <param name="config">Its constants.</param>
internal sealed class OrthogonalUpdate(OrthogonalConfig config) : IOptimizer
{
    /// <inheritdoc/>
    public IReadOnlyDictionary<string, Follows> Slots(ParameterSpec parameter) =>
        new Dictionary<string, Follows> { [Muon.Momentum] = Follows.Gradient };

    /// <inheritdoc/>
    public FlopsCount UpdateCost(ParameterSpec parameter)
    {
        double flops = new MatrixParts(parameter).OrthogonalFlops;
        return parameter.Layer is null ? new FlopsCount(0, 0, flops) : new FlopsCount(flops, 0, 0);
    }

    /// <inheritdoc/>
    public void Update(Parameter parameter, ParameterState state, double gradientScale, ElementRates rates)
    {
        Tensor gradient = parameter.Value.Grad! * gradientScale, mean = state.Slots[Muon.Momentum].Value;
        mean.CopyFrom((mean * config.Momentum) + (gradient * (1 - config.Momentum)));
        Tensor ahead = (mean * config.Momentum) + (gradient * (1 - config.Momentum));
        var parts = new MatrixParts(parameter.Spec);
        rates.Descend(parameter.Value, parts.Orthogonal(ahead) * ScaleOf(parts.Fans), config.DecayOf(parameter.Spec));
    }

    /// <inheritdoc/>
    public double UpdateNorm(ParameterSpec parameter, Fans fans, double gradientNorm) => ScaleOf(fans);

    private double ScaleOf(Fans fans) => config.UpdateScale == UpdateScale.Rms
        ? 0.2 * Math.Sqrt(Math.Max(fans.In, fans.Out))
        : Math.Sqrt(Math.Max(1, fans.Out / fans.In));
}
