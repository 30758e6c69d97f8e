using System.ComponentModel.DataAnnotations;

namespace Espalier.Optimization;

/// <summary>AdamW (Loshchilov and Hutter 2019) and gradient clipping. Defaults are those of Apollo's runs.</summary>
public sealed record OptimizerConfig
{
    /// <summary>`beta1`: decay of the mean of gradients. Default 0.9.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double Beta1 { get; init; } = 0.9;

    /// <summary>`beta2`: decay of the mean of squared gradients. Default 0.999.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double Beta2 { get; init; } = 0.999;

    /// <summary>`epsilon`: added to the denominator. Default 1e-8.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true)]
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>`weight_decay`: decoupled decay, times the learning rate, of matrices only. Default 0.01.</summary>
    [Range(0.0, 10.0)]
    public double WeightDecay { get; init; } = 0.01;

    /// <summary>`clip_norm`: the most the global gradient norm may be; 0 switches clipping off. Default 1.</summary>
    [Range(0.0, 1e9)]
    public double ClipNorm { get; init; } = 1.0;
}
