using Espalier.Models;

namespace Espalier.Growth;

/// <summary>One growth after the other, as one: depth and width at once.</summary>
/// <param name="First">What happens first.</param>
/// <param name="Second">What happens to what it has made.</param>
public sealed record InTurn(GrowthOperator First, GrowthOperator Second) : GrowthOperator
{
    /// <summary>What grows one model to another: its width, its depth, or first the width and then the depth.</summary>
    internal static GrowthOperator Of(
        ModelConfig from, ModelConfig to, Func<GrowthOperator> width, Func<GrowthOperator> depth)
    {
        GrownSizes grown = GrowthSize.Difference(from, to);
        return !grown.HasFlag(GrownSizes.Width) ? depth()
            : !grown.HasFlag(GrownSizes.Depth) ? width()
            : new InTurn(width(), depth());
    }

    /// <inheritdoc/>
    public override ModelConfig Grow(ModelConfig model) =>
        (Second with { Moments = Moments }).Grow((First with { Moments = Moments }).Grow(model));

    /// <summary>The less of the two.</summary>
    /// <inheritdoc/>
    public override Promise Promise(ModelConfig model)
    {
        Promise first = (First with { Moments = Moments }).Promise(model);
        Promise second = (Second with { Moments = Moments }).Promise(First.Grow(model));
        return new Promise((Kept)Math.Max((int)first.Loss, (int)second.Loss), first.Dynamics && second.Dynamics);
    }

    /// <inheritdoc/>
    public override FlopsCount Cost(ModelConfig model, IGrowthCosts costs) =>
        First.Cost(model, costs) + Second.Cost(First.Grow(model), costs);

    /// <inheritdoc/>
    public override string ToString() =>
        $"{First with { Moments = Moments }}; {Second with { Moments = Moments }}";

    /// <inheritdoc/>
    public override TrainingState Apply(TrainingState state, IGrowthContext context)
    {
        TrainingState grown = (First with { Moments = Moments, KeepsNew = KeepsNew }).Apply(state, context);
        return (Second with { Moments = Moments, KeepsNew = true }).Apply(grown, context);
    }
}
