using System.ComponentModel.DataAnnotations;
using Espalier.Configuration;

namespace Espalier.Optimization;

/// <summary>The course of the learning rate after its warm-up.</summary>
public enum LearningRateSchedule
{
    /// <summary>Half a cosine wave from peak to final.</summary>
    Cosine,

    /// <summary>A straight line from peak to final.</summary>
    Linear,

    /// <summary>Peak throughout.</summary>
    Constant,

    /// <summary>Peak throughout, until it decays at the end (warm-up, stable, decay).</summary>
    Wsd,
}

/// <summary>The form of the decay at the end of <see cref="LearningRateSchedule.Wsd"/>.</summary>
public enum DecayForm
{
    /// <summary>A straight line.</summary>
    Linear,

    /// <summary>1 - sqrt of the share of the decay that has passed.</summary>
    Sqrt,
}

/// <summary>The learning rate over the whole run: up from 0 to the peak in a line, then along the schedule.</summary>
public sealed record LearningRateConfig
{
    /// <summary>`peak`: the highest rate, reached at the end of the warm-up.</summary>
    [Range(0.0, 100.0, MinimumIsExclusive = true)]
    public required double Peak { get; init; }

    /// <summary>`schedule`: cosine, linear, constant or wsd. Default cosine.</summary>
    public LearningRateSchedule Schedule { get; init; } = LearningRateSchedule.Cosine;

    /// <summary>`warmup`: length of the linear rise from 0. Default 2.5 % (Apollo).</summary>
    public Duration Warmup { get; init; } = Duration.Percent(2.5);

    /// <summary>`decay`: how long wsd decays at the end of the run. Default 10 %.</summary>
    public Duration Decay { get; init; } = Duration.Percent(10);

    /// <summary>`decay_form`: how it then falls: linear or sqrt. Default linear.</summary>
    public DecayForm DecayForm { get; init; }

    /// <summary>`final`: the rate at the end of the run, as a fraction of the peak. Default 0.</summary>
    [Range(0.0, 1.0)]
    public double Final { get; init; }
}
