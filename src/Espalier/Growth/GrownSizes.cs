namespace Espalier.Growth;

/// <summary>Which sizes of a model an operator grows.</summary>
[Flags]
public enum GrownSizes
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>The layers.</summary>
    Depth = 1,

    /// <summary>The hidden size, heads and the feed-forward layer.</summary>
    Width = 2,

    /// <summary>The feed-forward layer, and not the hidden size.</summary>
    FeedForward = 4,
}
