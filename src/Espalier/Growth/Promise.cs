namespace Espalier.Growth;

/// <summary>How far growth leaves something as it was.</summary>
public enum Kept
{
    /// <summary>To rounding.</summary>
    Exactly,

    /// <summary>Nearly.</summary>
    Approximately,

    /// <summary>Not at all.</summary>
    Not,
}

/// <summary>What an operator says of a growth before it happens (Staged Training, arXiv 2203.06211).</summary>
/// <param name="Loss">Whether the grown model computes what the model computed.</param>
/// <param name="Dynamics">
/// Whether the operator's paper claims that training goes on as that of the larger model from scratch. Tests hold the first
/// promise; this one has not been measured.
/// </param>
public readonly record struct Promise(Kept Loss, bool Dynamics);
