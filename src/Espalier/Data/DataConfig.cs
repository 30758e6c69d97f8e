namespace Espalier.Data;

/// <summary>What a run is trained and evaluated on.</summary>
public sealed record DataConfig
{
    /// <summary>
    /// `path`: a folder made by `espalier data prepare`: token shards, split, tokenizer. A relative path starts at the
    /// working directory.
    /// </summary>
    public required string Path { get; init; }
}
