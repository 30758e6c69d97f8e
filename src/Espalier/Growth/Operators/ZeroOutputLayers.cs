using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Stores more layers, spread evenly, each a copy of the one below it whose output projections are 0, their biases with them
/// (LLaMA Pro, arXiv 2401.02415). LEMON's layers (arXiv 2310.07999) are the same at equal width; its authors put them above
/// the highest layers alone where there are fewer than twice as many. A copy then adds nothing to the residual stream; where norms
/// come after the sublayers, it still norms it twice. At first only the output projections have a gradient; all beneath them waits
/// until they are no longer 0. The copies alone are marked as new, so that a method may freeze the rest.
/// </summary>
/// <param name="Count">The layers to store from now on; no fewer than before.</param>
public sealed record ZeroOutputLayers(int Count) : GrowthOperator
{
    /// <inheritdoc/>
    public override ModelConfig Grow(ModelConfig model) => model with { Layers = Count };

    /// <inheritdoc/>
    public override Promise Promise(ModelConfig model) => new(
        model.Architecture.NormsComeFirst ? Kept.Exactly : Kept.Approximately, Dynamics: false);

    /// <inheritdoc/>
    public override string ToString() => $"zero-output-layers {Count}, moments {ConfigKeys.Kebab(Moments)}";

    /// <inheritdoc/>
    protected override LayerOrigin[] Layers(ModelConfig model) =>
        LayerOrigin.Copies(LayerMap.Spread(model.Layers, Count));

    /// <inheritdoc/>
    protected override double NewLayerFactor(ParameterSpec parameter, ModelConfig model) => parameter.AddsToStream ? 0 : 1;
}
