using System.ComponentModel.DataAnnotations;
using System.Reflection;
using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>A size of a model that can grow.</summary>
/// <param name="Property">Its property of <see cref="ModelConfig"/>.</param>
/// <param name="Key">What the model's configuration calls it.</param>
/// <param name="Most">The most that it can be.</param>
internal sealed record GrowthSize(string Property, string Key, int Most)
{
    /// <summary>The sizes of a model that can grow, under the names of its own configuration.</summary>
    public static GrowthSize[] Of(ModelConfig model) => OfType(model.GetType());

    /// <inheritdoc cref="Of"/>
    public static GrowthSize[] OfType(Type model) =>
    [
        .. new[] { nameof(ModelConfig.Layers), nameof(ModelConfig.HiddenSize), nameof(ModelConfig.Heads), nameof(ModelConfig.FfnSize) }
            .Select(property => ConfigKeys.Of(model).Single(key => key.Property.Name == property))
            .Select(key => new GrowthSize(
                key.Property.Name, key.Name, (int?)key.Property.GetCustomAttribute<RangeAttribute>()?.Maximum ?? int.MaxValue)),
    ];

    /// <summary>What differs between two models. What grows width can grow the feed-forward layer alone.</summary>
    public static GrownSizes Difference(ModelConfig before, ModelConfig after)
    {
        bool isDeeper = before.Layers != after.Layers, hasOtherFfn = before.FfnWidth != after.FfnWidth;
        bool isWider = before.HiddenSize != after.HiddenSize || before.Heads != after.Heads;
        return (isDeeper ? GrownSizes.Depth : GrownSizes.None)
            | (isWider || hasOtherFfn ? GrownSizes.Width : GrownSizes.None)
            | (hasOtherFfn && !isWider ? GrownSizes.FeedForward : GrownSizes.None);
    }

    /// <summary>The size of a model.</summary>
    public int In(ModelConfig model) => Property switch
    {
        nameof(ModelConfig.Layers) => model.Layers,
        nameof(ModelConfig.HiddenSize) => model.HiddenSize,
        nameof(ModelConfig.Heads) => model.Heads,
        _ => model.FfnWidth,
    };
}
