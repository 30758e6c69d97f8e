namespace Espalier.Growth;

/// <summary>What may be said of a growth besides the sizes that it leads to. Not every operator takes every one.</summary>
public sealed record GrowthSettings
{
    internal const string SeedOption = "--seed", NoiseOption = "--noise";

    /// <summary>`--seed`: of all that is drawn at random.</summary>
    public ulong? Seed { get; init; }

    /// <summary>`--noise`: the signal-to-noise ratio of HyperCloning's noise, in decibels.</summary>
    public double? Noise { get; init; }

    /// <summary>Those of them that an operator takes.</summary>
    internal GrowthSettings Of(IReadOnlyList<string> takes) => new()
    {
        Seed = takes.Contains(SeedOption) ? Seed : null,
        Noise = takes.Contains(NoiseOption) ? Noise : null,
    };

    /// <summary>The options of those that are given.</summary>
    internal IEnumerable<string> Given =>
        new (string Option, bool IsGiven)[] { (SeedOption, Seed is not null), (NoiseOption, Noise is not null) }
            .Where(setting => setting.IsGiven).Select(setting => setting.Option);
}
