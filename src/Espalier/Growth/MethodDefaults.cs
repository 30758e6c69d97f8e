using Espalier.Configuration;

namespace Espalier.Growth;

/// <summary>What each method implies where the recipe is silent. The only place that knows.</summary>
public static class MethodDefaults
{
    /// <summary>Apollo's released schedule: 1-3-6-12 layers, growing at 5, 10 and 25 % of the run.</summary>
    private static readonly Duration[] ApolloBoundaries =
        [Duration.Percent(5), Duration.Percent(10), Duration.Percent(25)];

    /// <summary>
    /// The same method with every empty or null key filled in. Stages: `scratch` [n]; `apollo` and `progressive`
    /// 1-3-6-12 scaled to n layers: 1, n/4, n/2, n, rounded down; `stack-bert` n/4, n/2, n, rounded down. Of a shallow
    /// model's coinciding stages the last remains, with the boundary that leads to it.
    /// </summary>
    /// <param name="method">A method, whole or in part.</param>
    /// <param name="layers">n, the layers of the final model; at least 1.</param>
    public static MethodConfig Resolve(MethodConfig method, int layers)
    {
        ArgumentNullException.ThrowIfNull(method);
        ArgumentOutOfRangeException.ThrowIfLessThan(layers, 1);
        (int[] stages, Duration[] boundaries) = Schedule(method.Name, layers);
        if (method.Stages.Length > 0)
        {
            // Own stages with the method's own boundaries only work out where their numbers agree.
            stages = method.Stages;
        }

        if (method.Boundaries.Length > 0)
        {
            boundaries = method.Boundaries;
        }
        else if (boundaries.Length != stages.Length - 1)
        {
            boundaries = [];
        }

        bool stacks = method.Name == MethodKind.StackBert;
        return method with
        {
            Stages = stages,
            Boundaries = boundaries,
            Sampler = method.Sampler
                ?? (method.Name == MethodKind.Apollo ? DepthSamplerKind.Lvps : DepthSamplerKind.None),
            SharingMap = method.SharingMap ?? (stacks ? LayerMapChoice.Stack : LayerMapChoice.Interpolate),
            GrowthMap = method.GrowthMap ?? (stacks ? LayerMapKind.Stack : LayerMapKind.Interpolate),
            Moments = method.Moments ?? (stacks ? MomentPolicy.Reset : MomentPolicy.Keep),
        };
    }

    private static (int[] Stages, Duration[] Boundaries) Schedule(MethodKind method, int layers)
    {
        (int[] stages, Duration[] boundaries) = method switch
        {
            MethodKind.Scratch => ([layers], Array.Empty<Duration>()),
            MethodKind.StackBert => ([layers / 4, layers / 2, layers], ApolloBoundaries[1..]),
            _ => (new[] { 1, layers / 4, layers / 2, layers }, ApolloBoundaries),
        };

        // Rounding may have given stages of no layers, or of no more layers than the one before.
        var kept = Enumerable.Range(0, stages.Length)
            .Where(i => stages[i] > 0 && (i == stages.Length - 1 || stages[i] < stages[i + 1]))
            .ToArray();
        return ([.. kept.Select(i => stages[i])], [.. kept.Skip(1).Select(i => boundaries[i - 1])]);
    }
}
