using System.ComponentModel.DataAnnotations;

namespace Espalier.Optimization;

/// <summary>AdamW (Loshchilov and Hutter 2019). Defaults are those of Apollo's runs.</summary>
public sealed record AdamWConfig : OptimizerConfig
{
    /// <inheritdoc/>
    public override string Name => "adamw";

    /// <summary>`beta1`: decay of the mean of gradients. Default 0.9.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double Beta1 { get; init; } = 0.9;

    /// <summary>`beta2`: decay of the mean of squared gradients. Default 0.999.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double Beta2 { get; init; } = 0.999;

    /// <summary>`epsilon`: added to the denominator. Default 1e-8.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true)]
    public double Epsilon { get; init; } = 1e-8;

    /// <inheritdoc/>
    public override IOptimizer Create() => new AdamW(this);
}
