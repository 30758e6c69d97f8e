using System.ComponentModel.DataAnnotations;

namespace Espalier.Optimization;

/// <summary>How large the orthogonalized update of a matrix is, by its inputs and outputs.</summary>
public enum UpdateScale
{
    /// <summary>sqrt(max(1, out / in)): its largest singular value (Jordan et al. 2024).</summary>
    Spectral,

    /// <summary>0.2 sqrt(max(in, out)): elements as large as AdamW's, so that its learning rates serve (arXiv 2502.16982).</summary>
    Rms,
}

/// <summary>Optimizers that orthogonalize the updates of matrices.</summary>
public abstract record OrthogonalConfig : OptimizerConfig
{
    /// <summary>`momentum`: decay of the mean of gradients, with a Nesterov step. Default 0.95.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double Momentum { get; init; } = 0.95;

    /// <summary>`update_scale`: spectral or rms. Default rms with muon, spectral with muon-nsgd.</summary>
    public UpdateScale UpdateScale { get; init; }
}
