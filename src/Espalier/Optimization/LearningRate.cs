namespace Espalier.Optimization;

/// <summary>The learning rate of every step of a run.</summary>
/// <param name="config">Peak, course and end.</param>
/// <param name="totalSteps">The steps of the whole run.</param>
/// <param name="tokensPerStep">The tokens of one step.</param>
public sealed class LearningRate(LearningRateConfig config, long totalSteps, long tokensPerStep)
{
    private readonly long _warmup = config.Warmup.ToSteps(totalSteps, tokensPerStep);
    private readonly long _decay = config.Decay.ToSteps(totalSteps, tokensPerStep);

    /// <summary>
    /// The position after an update. Where growth has moved it, it goes on faster or slower than the run, so that both end together.
    /// </summary>
    /// <param name="position">The position before.</param>
    /// <param name="step">The updates done before, fewer than the run has.</param>
    public double Next(double position, long step) => position + ((totalSteps - position) / (totalSteps - step));

    /// <summary>The updates whose rates a longer run of the same recipe has too: those before the decay; 0 where there is no stable phase.</summary>
    public long StableSteps => config.Schedule == LearningRateSchedule.Wsd ? Math.Max(0, totalSteps - _decay) : 0;

    /// <summary>The rate at a position of the schedule.</summary>
    /// <param name="step">
    /// Steps from its beginning; growth may move it, also between two whole steps. The warm-up's last step has the peak rate.
    /// </param>
    public double At(double step)
    {
        if (step < _warmup)
        {
            return config.Peak * (step + 1) / _warmup;
        }

        double progress = Math.Min(1, (step - _warmup) / Math.Max(1, totalSteps - _warmup));
        double share = config.Schedule switch
        {
            LearningRateSchedule.Cosine => 0.5 * (1 + Math.Cos(Math.PI * progress)),
            LearningRateSchedule.Linear => 1 - progress,
            LearningRateSchedule.Wsd => Decayed(Math.Clamp((step - (totalSteps - _decay)) / Math.Max(1, _decay), 0, 1)),
            _ => 1,
        };
        return config.Peak * (config.Final + ((1 - config.Final) * share));
    }

    private double Decayed(double passed) => 1 - (config.DecayForm == DecayForm.Sqrt ? Math.Sqrt(passed) : passed);
}
