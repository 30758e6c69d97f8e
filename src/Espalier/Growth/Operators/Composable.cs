using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Fresh units and layers that add nothing as yet (composable function-preserving expansions, arXiv 2308.06103). More feed-forward
/// units are computed by fresh weights and read by zeros. More layers, above the others, are fresh but for their output projections
/// and the biases of these, which are 0. Where norms come after the sublayers, such a layer still norms its input twice. What is
/// beneath zeros has no gradient until they have moved.
/// </summary>
/// <remarks>
/// The paper has four more expansions, by heads, by the size of values and of keys, and of the hidden size. Of the models here a
/// head's size is the hidden size over the heads, so that more heads are smaller ones and no size of values can be told; and layer norm
/// takes a mean, which zeros in the hidden axis change. Those need an architecture that says these sizes, and root-mean-square norms.
/// </remarks>
public sealed record Composable : WidthOperator
{
    /// <summary>`layers`: the layers to store from now on; null to leave them.</summary>
    public int? Count { get; init; }

    /// <inheritdoc/>
    protected override string Name => "composable";

    /// <inheritdoc/>
    protected override IEnumerable<string> Settings => Count is int count ? [$"layers {count}"] : [];

    /// <inheritdoc/>
    public override ModelConfig Grow(ModelConfig model) => base.Grow(model) with { Layers = Count ?? model.Layers };

    /// <summary>Exactly, but for layers of a model whose norms come after: nearly.</summary>
    /// <inheritdoc/>
    public override Promise Promise(ModelConfig model) => new(
        (Count ?? model.Layers) == model.Layers || Architectures.Of(model.ModelType).NormsComeFirst
            ? Kept.Exactly : Kept.Approximately,
        Dynamics: false);

    /// <inheritdoc/>
    protected override void Check(ModelConfig model, ModelConfig grown)
    {
        if (grown.HiddenSize != model.HiddenSize)
        {
            throw new UserErrorException(
                $"`hidden_size` {grown.HiddenSize} is not the model's {model.HiddenSize}: units of zeros would change the mean that its " +
                "layer norms take.",
                "Leave `hidden_size` and `heads` out, or copy units: HyperCloning, Net2Net, LEMON.");
        }
    }

    /// <inheritdoc/>
    protected override LayerOrigin[] Layers(ModelConfig model) =>
        FreshLayers.Origins(model.Layers, Count ?? model.Layers, FreshPlace.Top);

    /// <inheritdoc/>
    protected override double NewLayerFactor(ParameterSpec parameter, ModelConfig model) => parameter.AddsToStream ? 0 : 1;

    /// <inheritdoc/>
    protected override AxisMap Units(AxisKind kind, int before, int after) => AxisMap.Rounds(before, after);

    /// <inheritdoc/>
    protected override double Factor(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) =>
        IsOld(first, second) ? 1 : 0;

    /// <inheritdoc/>
    protected override double GradientFactor(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) =>
        IsOld(first, second) ? 1 : 0;

    /// <inheritdoc/>
    protected override double FreshShare(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) =>
        IsNewOutput(parameter, 0, first) || IsNewOutput(parameter, 1, second) ? 1 : 0;

    private static bool IsNewOutput(ParameterSpec parameter, int axis, UnitOrigin unit) =>
        unit.Copy > 0 && parameter.Axes[axis].Side == AxisSide.Output;
}
