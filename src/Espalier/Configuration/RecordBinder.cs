using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;

namespace Espalier.Configuration;

/// <summary>
/// Fills config records from YAML: keys by <see cref="ConfigKeys"/>, values by <see cref="ConfigValue"/>, limits by
/// the <see cref="ValidationAttribute"/>s of the properties. Goes on after a problem, so as to find them all.
/// </summary>
/// <param name="problems">Where they go.</param>
/// <param name="root">The config record of the whole file.</param>
/// <param name="noun">What such a file is called.</param>
internal sealed class RecordBinder(ConfigProblems problems, Type root, string noun)
{
    private readonly Dictionary<string, Place> _places = [];

    /// <summary>Where a dotted key was written, or else the key that made it necessary, or the section it belongs to.</summary>
    public Place PlaceOf(string key, string because)
    {
        key = _places.ContainsKey(key) ? key : because;
        while (!_places.ContainsKey(key) && key.Length > 0)
        {
            key = key[..Math.Max(0, key.LastIndexOf('.'))];
        }

        return _places[key];
    }

    /// <summary>Binds a section.</summary>
    /// <param name="type">The config record.</param>
    /// <param name="section">Its YAML.</param>
    /// <param name="place">Where it begins.</param>
    /// <param name="path">Its dotted key and a dot, or nothing for the whole file.</param>
    public object Bind(Type type, MapNode section, Place place, string path = "")
    {
        _places[path.TrimEnd('.')] = place;
        type = VariantOf(type, section);
        object config = Activator.CreateInstance(type)!;
        IReadOnlyList<ConfigKey> keys = ConfigKeys.Of(type);
        var seen = new HashSet<string>();
        foreach (MapEntry entry in section.Entries)
        {
            ConfigKey? key = keys.FirstOrDefault(k => k.Name == entry.Key)
                ?? Guess(type, entry, path, keys.Where(k => section.Entries.TrueForAll(e => e.Key != k.Name)), keys);
            if (key is not null && seen.Add(key.Name))
            {
                BindEntry(config, key, entry, path + key.Name);
            }
        }

        foreach (ConfigKey key in keys.Where(k => k.IsRequired && !seen.Contains(k.Name)))
        {
            Type usual = ConfigKeys.VariantsOf(key.Property.PropertyType)[0];
            IEnumerable<string> needed = key.IsSection
                ? ConfigKeys.Of(usual).Where(k => k.IsRequired).Select(k => $"`{k.Name}`")
                : [];
            string remedy = key.IsSection ? $"add the section with {string.Join(", ", needed)}" : "add it; it has no default";
            problems.Add(place, path + key.Name, "is missing", remedy);
            if (key.IsSection)
            {
                // Checks between keys look at the properties of sections; those of this one they leave alone.
                key.Property.SetValue(config, Activator.CreateInstance(usual));
            }
        }

        return config;
    }

    /// <summary>Which record a section is; a value that names none is reported when its key is bound.</summary>
    private static Type VariantOf(Type type, MapNode section) =>
        type.GetCustomAttributes<ConfigVariantAttribute>(inherit: false)
            .FirstOrDefault(variant => section.Entries.Exists(
                entry => entry.Key == variant.Key && entry.Value is ScalarNode scalar && scalar.Text == variant.Value))?.Type
        ?? ConfigKeys.VariantsOf(type)[0];

    /// <summary>
    /// Reports an unknown key. Where an absent key is but a slip away it is returned, so that its value is checked
    /// too and it is not reported as missing besides.
    /// </summary>
    private ConfigKey? Guess(
        Type type, MapEntry entry, string path, IEnumerable<ConfigKey> absent, IReadOnlyList<ConfigKey> keys)
    {
        ConfigVariantAttribute[] variants = [.. type.BaseType!.GetCustomAttributes<ConfigVariantAttribute>(inherit: false)];
        foreach (ConfigVariantAttribute other in variants)
        {
            if (ConfigKeys.Of(other.Type).FirstOrDefault(k => k.Name == entry.Key) is ConfigKey foreign)
            {
                string variant = variants.Single(v => v.Type == type).Value;
                ConfigKey? own = keys.FirstOrDefault(k => k.Property.Name == foreign.Property.Name);
                problems.Add(
                    entry.Place, path + entry.Key,
                    $"is a key of {other.Value}, and this {path.TrimEnd('.')} is {variant}",
                    own is not null ? $"its key is `{path}{own.Name}`"
                        : $"leave it out, or set `{path}{other.Key}` to {other.Value}");
                return absent.FirstOrDefault(k => k.Name == own?.Name);
            }
        }

        ConfigKey? meant = absent.Where(k => NearestName.IsClose(entry.Key, k.Name))
            .MinBy(k => NearestName.Distance(entry.Key, k.Name));
        string? elsewhere = ConfigKeys.Of(root)
            .Where(s => s.IsSection)
            .SelectMany(s => ConfigKeys.VariantsOf(s.Property.PropertyType)
                .SelectMany(ConfigKeys.Of).Select(k => (Section: s.Name, k.Name)))
            .Where(k => k.Name == entry.Key)
            .Select(k => $"{k.Section}.{k.Name}")
            .FirstOrDefault();
        string nearest = meant is not null ? path + meant.Name
            : elsewhere ?? path + NearestName.Of(entry.Key, keys.Select(k => k.Name));
        problems.Add(entry.Place, path + entry.Key, $"is not a key of a {noun}", $"did you mean `{nearest}`?");
        return meant;
    }

    private void BindEntry(object config, ConfigKey key, MapEntry entry, string dotted)
    {
        _places[dotted] = entry.Place;
        if (key.IsSection)
        {
            MapNode? inner = entry.Value as MapNode;
            bool isEmpty = entry.Value is ScalarNode { IsNull: true };
            if (inner is null && !isEmpty)
            {
                problems.Add(entry.Place, dotted, "must be a section", "put its keys below it, indented");
                key.Property.SetValue(config, Activator.CreateInstance(ConfigKeys.VariantsOf(key.Property.PropertyType)[0]));
                return;
            }

            inner ??= new MapNode(entry.Place, []);
            key.Property.SetValue(config, Bind(key.Property.PropertyType, inner, entry.Place, dotted + "."));
            return;
        }

        try
        {
            object? value = entry.Value is ScalarNode { IsNull: true } && key.MayBeNull
                ? null
                : ConfigValue.Read(key.Property.PropertyType, entry.Value);
            CheckLimits(key.Property, value);
            key.Property.SetValue(config, value);
        }
        catch (BadValueException e)
        {
            problems.Add(entry.Place, dotted, e.Message, e.Remedy);
        }
    }

    /// <summary>Checks a value against the <see cref="ValidationAttribute"/>s of its property.</summary>
    /// <exception cref="BadValueException">It is outside of them.</exception>
    internal static void CheckLimits(PropertyInfo property, object? value)
    {
        if (value is null)
        {
            return;
        }

        string text = ConfigValue.Format(value);
        if (property.GetCustomAttribute<RangeAttribute>() is RangeAttribute range)
        {
            double number = Convert.ToDouble(value, CultureInfo.InvariantCulture);
            double least = Convert.ToDouble(range.Minimum, CultureInfo.InvariantCulture);
            double most = Convert.ToDouble(range.Maximum, CultureInfo.InvariantCulture);
            bool isTooSmall = range.MinimumIsExclusive ? number <= least : number < least;
            bool isTooLarge = range.MaximumIsExclusive ? number >= most : number > most;
            if (isTooSmall || isTooLarge)
            {
                string from = range.MinimumIsExclusive ? $"more than {ConfigValue.Format(least)}" : $"at least {ConfigValue.Format(least)}";
                string to = range.MaximumIsExclusive ? $"less than {ConfigValue.Format(most)}" : $"at most {ConfigValue.Format(most)}";
                throw new BadValueException($"is {text}", $"it must be {from} and {to}");
            }
        }

        if (property.GetCustomAttribute<RegularExpressionAttribute>() is RegularExpressionAttribute pattern
            && !pattern.IsValid(value))
        {
            throw new BadValueException($"is {text}", pattern.ErrorMessage!);
        }
    }
}
