using System.ComponentModel.DataAnnotations;
using Espalier.Configuration;

namespace Espalier.Growth;

/// <summary>A progressive method; what each implies stands in <see cref="MethodDefaults"/>.</summary>
public enum MethodKind
{
    /// <summary>The full model from the first step: the baseline.</summary>
    Scratch,

    /// <summary>Few stored layers executed at a drawn depth, then more (Apollo, AAAI 2024).</summary>
    Apollo,

    /// <summary>Apollo's stages without its lessons: executed are the stored layers, no more.</summary>
    Progressive,

    /// <summary>Doubling by stacking, optimizer restarted (StackBERT, ICML 2019).</summary>
    StackBert,
}

/// <summary>How the executed depth d of a micro-batch is drawn, in [stored layers N, final layers L].</summary>
public enum DepthSamplerKind
{
    /// <summary>Low-value-prioritized: mostly shallow, rarely deep (Apollo, released form).</summary>
    Lvps,

    /// <summary>Every depth alike (Apollo's US).</summary>
    Uniform,

    /// <summary>Always L (Apollo's FS).</summary>
    Full,

    /// <summary>Always N: no sharing in training.</summary>
    None,

    /// <summary>A sigmoid between the two ends (Apollo's released code).</summary>
    Sigmoid,

    /// <summary>Probability proportional to (d - N + 1)^-`inverse_power` (ours).</summary>
    InversePower,
}

/// <summary>How long a drawn depth holds.</summary>
public enum DepthDraw
{
    /// <summary>One micro-batch (released Apollo).</summary>
    MicroBatch,

    /// <summary>All micro-batches of an update.</summary>
    Update,
}

/// <summary>What becomes of the optimizer's moments when the model grows.</summary>
public enum MomentPolicy
{
    /// <summary>Moments stay with their layer's index, new layers start empty (released Apollo).</summary>
    Keep,

    /// <summary>Moments follow the weights through the growth map.</summary>
    Map,

    /// <summary>All start empty again.</summary>
    Reset,
}

/// <summary>How the model grows while it trains. Sections and formulas: arXiv 2401.09192 (Apollo).</summary>
public sealed record MethodConfig
{
    /// <summary>`name`: scratch, apollo, progressive or stack-bert. It sets the defaults of the keys below.</summary>
    public required MethodKind Name { get; init; }

    /// <summary>
    /// `stages`: stored layers of each stage, increasing, the last being `n_layer`. Empty: the method's own
    /// (<see cref="MethodDefaults.Resolve"/> fills it in; a recipe that was read from a file has it filled in).
    /// </summary>
    public int[] Stages { get; init; } = [];

    /// <summary>
    /// `boundaries`: where in the run each stage but the first begins, one fewer than stages. Filled in like
    /// <see cref="Stages"/>.
    /// </summary>
    public Duration[] Boundaries { get; init; } = [];

    /// <summary>`sampler`: how the executed depth is drawn. Null: the method's own.</summary>
    public DepthSamplerKind? Sampler { get; init; }

    /// <summary>`lvps_begin_offset`: LVPS's `begin` is L/N plus this. Default 0.4.</summary>
    [Range(0.0, 100.0, MinimumIsExclusive = true)]
    public double LvpsBeginOffset { get; init; } = 0.4;

    /// <summary>`lvps_end`: LVPS's `end`; below 1, so that the shallowest depth is the likeliest. Default 0.6.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true)]
    public double LvpsEnd { get; init; } = 0.6;

    /// <summary>`inverse_power`: k of the inverse-power sampler; 0 is uniform, large is shallow. Default 5.</summary>
    [Range(0.0, 1000.0)]
    public double InversePower { get; init; } = 5;

    /// <summary>`draw`: a depth per micro-batch or per update. Default micro-batch.</summary>
    public DepthDraw Draw { get; init; } = DepthDraw.MicroBatch;

    /// <summary>
    /// `sharing_map`: which stored layer each executed one uses: interpolate, stack, or a list of `n_layer` stored
    /// layers. Null: the method's own.
    /// </summary>
    public LayerMapChoice? SharingMap { get; init; }

    /// <summary>`growth_map`: which old layer each layer of the next stage is a copy of. Null: the method's own.</summary>
    public LayerMapKind? GrowthMap { get; init; }

    /// <summary>`moments`: keep, map or reset at a boundary. Null: the method's own.</summary>
    public MomentPolicy? Moments { get; init; }

    /// <summary>`rewarm`: linear rise of the learning rate from 0 after each growth. Default 0 steps: none.</summary>
    public Duration Rewarm { get; init; } = Duration.Steps(0);
}
