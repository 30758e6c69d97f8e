using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Fresh units and layers that add nothing as yet (composable function-preserving expansions, arXiv 2308.06103). More feed-forward
/// units and more heads are computed by fresh weights and read by zeros. More hidden units are written by zeros and read by fresh
/// weights, where norms take no mean: the norms' weights then make good that the root of the mean square has shrunk, and their epsilon
/// shrinks with it. More layers, above the others, are fresh but for their output projections and the biases of these, which are 0. Where
/// norms come after the sublayers, such a layer still norms its input twice. What is beneath zeros has no gradient until they have moved.
/// </summary>
/// <remarks>
/// Heads keep their size, so that hidden size and heads grow together. The paper's other two expansions, by the size of keys and by that
/// of values, are not offered: the models here have one size of a head for queries, keys and values, and rotary positions by it.
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
    public override ModelConfig Grow(ModelConfig model)
    {
        ModelConfig grown = base.Grow(model) with { Layers = Count ?? model.Layers };
        return grown.HiddenSize == model.HiddenSize ? grown : grown with
        {
            LayerNormEpsilon = model.LayerNormEpsilon * model.HiddenSize / grown.HiddenSize,
        };
    }

    /// <summary>
    /// Exactly; nearly for layers of a model whose norms come after, and for hidden units of one that norms queries and keys, with the
    /// epsilon that shrinks for the others' sake.
    /// </summary>
    /// <inheritdoc/>
    public override Promise Promise(ModelConfig model)
    {
        IArchitecture architecture = model.Architecture;
        bool isDeeperByNorms = Grow(model).Layers > model.Layers && !architecture.NormsComeFirst;
        bool normsHeads = architecture.Parameters(model).Any(parameter => parameter.Axes is [{ Kind: AxisKind.HeadElement }]);
        bool isWiderByEpsilon = Grow(model).HiddenSize > model.HiddenSize && normsHeads;
        return new Promise(isDeeperByNorms || isWiderByEpsilon ? Kept.Approximately : Kept.Exactly, Dynamics: false);
    }

    /// <inheritdoc/>
    protected override void Check(ModelConfig model, ModelConfig grown)
    {
        if (grown.HiddenSize != model.HiddenSize && model.Architecture.NormsTakeMean)
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

    /// <summary>Of hidden units the share is what the root of the mean square has become, of what it was.</summary>
    /// <inheritdoc/>
    protected override AxisMap Units(AxisKind kind, int before, int after)
    {
        AxisMap units = AxisMap.Rounds(before, after);
        return kind != AxisKind.Hidden ? units
            : new AxisMap([.. units.Units.Select(unit => unit with { Share = Math.Sqrt((double)before / after) })]);
    }

    /// <inheritdoc/>
    protected override double Factor(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) =>
        !IsOld(first, second) ? 0 : IsNormOfStream(parameter) ? first.Share : 1;

    /// <inheritdoc/>
    protected override double GradientFactor(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) =>
        !IsOld(first, second) ? 0 : IsNormOfStream(parameter) ? 1 / first.Share : 1;

    /// <inheritdoc/>
    protected override double FreshShare(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) =>
        IsOld(first, second) || parameter.Axes.Any(axis => axis is { Kind: AxisKind.Hidden, Side: AxisSide.Output }) ? 0 : 1;

    private static bool IsNormOfStream(ParameterSpec parameter) =>
        parameter.Axes is [{ Kind: AxisKind.Hidden, Side: AxisSide.None }];
}
