using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Width by zeros beside shrunk weights, upon a fresh initialisation, with a new optimizer: the control that every method of growing
/// width should beat (SZP, arXiv 2605.13405).
/// </summary>
public sealed record ZeroPadConfig : StagedSizesConfig
{
    /// <inheritdoc/>
    public override string Name => "zero-pad";

    private protected override GrownSizes Grows => GrownSizes.Width;

    private protected override MomentPolicy DefaultMoments => MomentPolicy.Reset;

    private protected override string Reaches => "keep the size of a head, at most double the width, and leave the layers";

    internal override GrowthOperator Growth(ModelConfig from, ModelConfig to, ulong seed) =>
        new ZeroPadWidth().To(to);
}
