namespace Espalier.Growth;

/// <summary>What may be said of a growth besides the sizes that it leads to. Not every operator takes every one.</summary>
public sealed record GrowthSettings
{
    /// <summary>`--seed`: of all that is drawn at random.</summary>
    public ulong? Seed { get; init; }

    /// <summary>`--noise`: the signal-to-noise ratio of HyperCloning's noise, in decibels.</summary>
    public double? Noise { get; init; }

    /// <summary>The names of those that are given.</summary>
    internal IEnumerable<string> Given => [.. Seed is null ? Array.Empty<string>() : ["--seed"], .. Noise is null ? Array.Empty<string>() : ["--noise"]];
}
