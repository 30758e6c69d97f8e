using System.ComponentModel.DataAnnotations;
using System.Reflection;

namespace Espalier.Configuration;

/// <summary>What a key of a config file is, in words: those of the documentation of the property behind it.</summary>
/// <param name="Key">The key, with dots.</param>
/// <param name="Variants">Which variants of its section have it; none where all have, or there is but one.</param>
/// <param name="Takes">What its value may be.</param>
/// <param name="IsRequired">Whether it has no default.</param>
/// <param name="Says">What it means; empty where somebody's own record does not say.</param>
public sealed record KeyHelp(string Key, IReadOnlyList<string> Variants, string Takes, bool IsRequired, string Says)
{
    /// <summary>All keys of a config record and of the sections below it, in their order.</summary>
    internal static IEnumerable<KeyHelp> Of(Type config, string path = "")
    {
        ConfigVariants? variants = ConfigVariants.Of(config);
        Type[] types = [.. ConfigVariants.TypesOf(config)];
        return types
            .SelectMany(type => ConfigKeys.Of(type).SelectMany(key => key.IsSection
                ? Of(key.Property.PropertyType, $"{path}{key.Name}.")
                : [One(key, path, variants)]).Select(help => (Type: type, Help: help)))
            .GroupBy(own => (own.Help.Key, own.Help.Takes, own.Help.IsRequired, own.Help.Says, Inner: string.Join(' ', own.Help.Variants)))
            .Select(same => same.First().Help with
            {
                Variants = same.Count() == types.Length ? same.First().Help.Variants : [.. same.Select(own => variants!.NameOf(own.Type))],
            });
    }

    private static KeyHelp One(ConfigKey key, string path, ConfigVariants? variants) => new(
        path + key.Name, [], key.IsDiscriminator ? string.Join(", ", variants!.Names) : Form(key.Property), key.IsRequired,
        Documentation.Of(key.Property) ?? "");

    private static string Form(PropertyInfo property)
    {
        string takes = property.GetCustomAttribute<RegularExpressionAttribute>()?.ErrorMessage ?? ConfigValue.Expected(property.PropertyType);
        takes = takes.StartsWith("write ", StringComparison.Ordinal) ? takes["write ".Length..] : takes;
        return property.GetCustomAttribute<RangeAttribute>() is RangeAttribute range
            ? $"{takes}, {(range.MinimumIsExclusive ? "above " : "")}{range.Minimum} to {(range.MaximumIsExclusive ? "below " : "")}{ConfigValue.Format(range.Maximum)}"
            : takes;
    }
}
