using Espalier.Models;

namespace Espalier.Growth;

/// <summary>How the units of bert2BERT's wider models begin.</summary>
public enum WidthCopies
{
    /// <summary>As the layer above computes them: advanced knowledge initialization.</summary>
    Aki,

    /// <summary>As they are: function-preserving initialization.</summary>
    Fpi,
}

/// <summary>Width by copies of units, then depth by stacking, then a new optimizer (bert2BERT, arXiv 2110.07143).</summary>
public sealed record Bert2BertConfig : StagedSizesConfig
{
    /// <inheritdoc/>
    public override string Name => "bert2bert";

    /// <summary>`copies`: aki, the paper's best, or fpi. Default aki.</summary>
    public WidthCopies Copies { get; init; }

    private protected override GrownSizes Grows => GrownSizes.Depth | GrownSizes.Width;

    private protected override MomentPolicy DefaultMoments => MomentPolicy.Reset;

    private protected override ScheduleMove DefaultSchedule => ScheduleMove.Restart;

    private protected override string Reaches => "keep the size of a head";

    internal override GrowthOperator Growth(ModelConfig from, ModelConfig to, ulong seed) => InTurn.Of(
        from, to, () => (Copies == WidthCopies.Aki ? (WidthOperator)new Aki() : new Net2Net()).To(to),
        () => new CopyLayers(to.Layers, LayerMapKind.Stack));
}
