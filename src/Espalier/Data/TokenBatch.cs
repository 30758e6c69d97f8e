namespace Espalier.Data;

/// <summary>Token ids for a model to read, and what it is to predict from them.</summary>
/// <param name="Sequences">B.</param>
/// <param name="Length">T.</param>
/// <param name="InputIds">B x T token ids.</param>
/// <param name="Targets">N token ids; <see cref="IgnoredTarget"/> where there is nothing to predict.</param>
/// <param name="Positions">Where each target is predicted, counted through B x T; null for everywhere, in order.</param>
public sealed record TokenBatch(int Sequences, int Length, long[] InputIds, long[] Targets, long[]? Positions = null)
{
    /// <summary>The target where there is nothing to predict; libtorch's default for the index to ignore.</summary>
    public const long IgnoredTarget = -100;

    /// <summary>The number of targets that count.</summary>
    public int Predicted => Targets.Length - Targets.AsSpan().Count(IgnoredTarget);
}
