using System.ComponentModel.DataAnnotations;
using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// What the methods have in common that store more layers in the middle, again and again, and take longer for each stage than for
/// the one before. Until the model is whole, it is measured as it is stored.
/// </summary>
public abstract record MiddleGrowthConfig : StagedDepthConfig
{
    /// <summary>
    /// `alpha`: stage i of k, counted from 1, takes i^alpha of the sum of all j^alpha as its share of the run, unless boundaries are
    /// given. Default 1.
    /// </summary>
    [Range(0.0, 10.0)]
    public double Alpha { get; init; } = 1;

    private protected override MomentPolicy DefaultMoments => MomentPolicy.Map;

    private protected override bool AtMostDoubles => true;

    private protected override (int, double)[] DefaultStages(int layers) => Quarters(layers);

    /// <summary>The old layer of each that is wanted.</summary>
    private protected abstract int[] Copies(int stored, int wanted);

    /// <inheritdoc/>
    internal override GrowthOperator Growth(int stored, int wanted) => new CopyLayers(Copies(stored, wanted));

    /// <inheritdoc/>
    public override MethodConfig Resolve(ModelConfig final)
    {
        var resolved = (MiddleGrowthConfig)base.Resolve(final);
        return Boundaries.Length > 0 ? resolved : resolved with { Boundaries = ByAlpha(resolved.Stages.Length) };
    }

    /// <inheritdoc/>
    public override IProgressiveMethod Create(RunShape run) => new StagedDepth(this, run);

    private GrowthTrigger[] ByAlpha(int stages)
    {
        double[] shares = [.. Enumerable.Range(1, stages).Select(i => Math.Pow(i, Alpha))];
        return [.. Enumerable.Range(1, stages - 1).Select(i => (GrowthTrigger)Duration.Percent(100 * shares.Take(i).Sum() / shares.Sum()))];
    }
}
