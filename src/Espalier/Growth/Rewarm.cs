namespace Espalier.Growth;

/// <summary>What a re-warm-up is for.</summary>
public enum RewarmScope
{
    /// <summary>All parameters.</summary>
    All,

    /// <summary>Only what the growth has added; the rest goes on undisturbed (SPARKLING, arXiv 2602.02472).</summary>
    New,
}

/// <summary>A straight line that the learning rate is multiplied by after a growth.</summary>
/// <param name="Steps">How long it takes; at least 1.</param>
/// <param name="From">Where it begins.</param>
/// <param name="To">Where it ends, and stays.</param>
/// <param name="Scope">What it is for.</param>
public sealed record Rewarm(long Steps, double From = 0, double To = 1, RewarmScope Scope = RewarmScope.All)
{
    /// <summary>The factor of an update.</summary>
    /// <param name="since">Updates since the growth, from 0. The line's last step has the end's factor.</param>
    public double Factor(long since) => since + 1 < Steps ? From + ((To - From) * ((since + 1) / (double)Steps)) : To;
}
