using System.ComponentModel.DataAnnotations;

namespace Espalier.Optimization;

/// <summary>Stochastic gradient descent with momentum. Weight decay is decoupled, as everywhere here.</summary>
public sealed record SgdConfig : OptimizerConfig
{
    /// <inheritdoc/>
    public override string Name => "sgd";

    /// <summary>`momentum`: what of the last update's direction goes into the next; 0: nothing is remembered. Default 0.9.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double Momentum { get; init; } = 0.9;

    /// <inheritdoc/>
    public override IOptimizer Create() => new Sgd(this);
}
