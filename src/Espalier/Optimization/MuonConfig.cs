using System.ComponentModel.DataAnnotations;

namespace Espalier.Optimization;

/// <summary>Muon (Jordan et al. 2024) for the matrices of layers, AdamW for all else.</summary>
public sealed record MuonConfig : OrthogonalConfig
{
    /// <summary>The defaults.</summary>
    public MuonConfig() => UpdateScale = UpdateScale.Rms;

    /// <inheritdoc/>
    public override string Name => "muon";

    /// <summary>`adamw_rate`: the learning rate of embeddings, head and vectors, as a share of the recipe's. Default 1.</summary>
    [Range(0.0, 1e6)]
    public double AdamwRate { get; init; } = 1;

    /// <summary>`beta1`: AdamW's decay of the mean of gradients. Default 0.9.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double Beta1 { get; init; } = 0.9;

    /// <summary>`beta2`: AdamW's decay of the mean of squared gradients. Default 0.999.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double Beta2 { get; init; } = 0.999;

    /// <summary>`epsilon`: added to AdamW's denominator. Default 1e-8.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true)]
    public double Epsilon { get; init; } = 1e-8;

    /// <inheritdoc/>
    public override IOptimizer Create() => new Muon(this);

    /// <summary>What embeddings, head and vectors are updated by.</summary>
    internal AdamWConfig OfTheRest => new() { Beta1 = Beta1, Beta2 = Beta2, Epsilon = Epsilon, WeightDecay = WeightDecay };
}
