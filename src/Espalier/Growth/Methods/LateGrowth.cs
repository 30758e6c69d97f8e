using Espalier.Configuration;

namespace Espalier.Growth;

/// <summary>What the layers of a late growth begin as.</summary>
public enum LateLayers
{
    /// <summary>As those of a new model, above the old ones.</summary>
    Fresh,

    /// <summary>Copies, neighbours alike (<see cref="LayerMapKind.Interpolate"/>).</summary>
    Interpolate,

    /// <summary>Copies, the whole again and again (<see cref="LayerMapKind.Stack"/>).</summary>
    Stack,
}

/// <summary>
/// One hop from few layers, or from none, to all of them, and nothing else changes: neither rate nor decay (arXiv 2511.04981). The loss jumps and
/// comes down again. Until then the model is measured as it is stored.
/// </summary>
public sealed record LateGrowthConfig : StagedDepthConfig
{
    /// <inheritdoc/>
    public override string Name => "late-growth";

    /// <summary>`new_layers`: fresh, or copies by interpolate or stack. Default fresh.</summary>
    public LateLayers NewLayers { get; init; }

    private protected override MomentPolicy DefaultMoments => MomentPolicy.Keep;

    /// <summary>Half-way: how late it may be is for the schedule to say.</summary>
    private protected override (int, double)[] DefaultStages(int layers) => [(1, 0), (layers, 50)];

    /// <summary>From none, with new layers that are fresh.</summary>
    private protected override int LeastLayers => NewLayers == LateLayers.Fresh ? 0 : 1;

    internal override GrowthOperator Growth(int stored, int wanted) => NewLayers switch
    {
        LateLayers.Fresh => new FreshLayers(wanted),
        LateLayers.Interpolate => new CopyLayers(wanted, LayerMapKind.Interpolate),
        _ => new CopyLayers(wanted, LayerMapKind.Stack),
    };

    /// <inheritdoc/>
    public override IProgressiveMethod Create(RunShape run) => new StagedDepth(this, run);

    /// <inheritdoc/>
    internal override IEnumerable<ConfigProblem> Check(MethodSurroundings recipe)
    {
        int[] stages = ((StagedDepthConfig)Resolve(recipe.Model)).Stages;
        return stages.Length <= 2 || !recipe.IsClean("stages")
            ? base.Check(recipe)
            :
            [
                new ConfigProblem(
                    "stages", $"{ConfigValue.Format(stages)} grows more than once", "take two stages, or the method progressive"),
            ];
    }
}
