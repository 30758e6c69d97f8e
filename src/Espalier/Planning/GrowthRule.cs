namespace Espalier.Planning;

/// <summary>What grows.</summary>
public enum GrowthKind
{
    /// <summary>Layers.</summary>
    Depth,

    /// <summary>The width.</summary>
    Width,

    /// <summary>Both at once.</summary>
    Both,
}

/// <summary>When to grow, and where the grown model then stands on its own schedule (Staged Training, arXiv 2203.06211).</summary>
/// <param name="Slope">Growth is due once the curve of the small model is flatter than this: d log(loss) / d log(cost).</param>
/// <param name="Ratio">The step before growth over the step at which the large model has the same loss.</param>
internal readonly record struct GrowthRule(double Slope, double Ratio)
{
    /// <summary>Training stops being worth its cost once the curve is flatter than this.</summary>
    public const double StopSlope = -0.052;

    /// <summary>The published rule for doubling.</summary>
    public static GrowthRule Of(GrowthKind kind) => kind switch
    {
        GrowthKind.Depth => new GrowthRule(-0.0575, 1.412),
        GrowthKind.Width => new GrowthRule(-0.0475, 1.776),
        _ => new GrowthRule(-0.03, 2.455),
    };
}
