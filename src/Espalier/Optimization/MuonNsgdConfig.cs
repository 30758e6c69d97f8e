namespace Espalier.Optimization;

/// <summary>
/// Muon for all matrices, embeddings and head too, and the gradient over its norm for vectors, at one learning rate (arXiv
/// 2602.07145). Every update has a size of its own, so that clipping is off.
/// </summary>
public sealed record MuonNsgdConfig : OrthogonalConfig
{
    /// <summary>The defaults.</summary>
    public MuonNsgdConfig() => (UpdateScale, ClipNorm) = (UpdateScale.Spectral, 0);

    /// <inheritdoc/>
    public override string Name => "muon-nsgd";

    /// <inheritdoc/>
    public override IOptimizer Create() => new MuonNsgd(this);
}
