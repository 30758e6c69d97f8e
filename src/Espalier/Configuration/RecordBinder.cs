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
    /// <param name="type">The config record, or the base of its variants.</param>
    /// <param name="section">Its YAML.</param>
    /// <param name="place">Where it begins.</param>
    /// <param name="path">Its dotted key and a dot, or nothing for the whole file.</param>
    public object Bind(Type type, MapNode section, Place place, string path = "")
    {
        _places[path.TrimEnd('.')] = place;
        ConfigVariants? variants = ConfigVariants.Of(type);
        return variants is null ? Fill(type, section, place, path)
            : VariantOf(variants, section) is Type variant ? Fill(variant, section, place, path)
            : StandIn(type, variants, section, place, path);
    }

    /// <summary>The record that a section names, or its default; null where neither says.</summary>
    private static Type? VariantOf(ConfigVariants variants, MapNode section)
    {
        // A key that is but a slip away names the variant too: the slip is then all that is reported.
        MapEntry? entry = section.Entries.Find(e => e.Key == variants.Key)
            ?? section.Entries.Find(e => NearestName.IsClose(e.Key, variants.Key) && variants.Having(e.Key).Count == 0);
        return entry is null ? variants.Default
            : entry.Value is ScalarNode { IsNull: false, Text: var name } ? variants.TypeOf(name)
            : null;
    }

    private static object Create(Type record)
    {
        object config = Activator.CreateInstance(record)!;
        if (ConfigVariants.Of(record) is ConfigVariants variants)
        {
            object? name = ConfigKeys.Of(record).FirstOrDefault(k => k.IsDiscriminator)?.Property.GetValue(config);
            if ((name is Enum ? ConfigKeys.Kebab(name) : name as string) != variants.NameOf(record))
            {
                throw new InvalidOperationException(
                    $"No property of {record} says that its `{variants.Key}` is {variants.NameOf(record)}.");
            }
        }

        return config;
    }

    private object Fill(Type record, MapNode section, Place place, string path)
    {
        object config = Create(record);
        IReadOnlyList<ConfigKey> keys = ConfigKeys.Of(record);
        var seen = new HashSet<string>();
        MapEntry[][] foreign = KeysOfOtherVariants(record, section, keys);
        foreach (MapEntry[] together in foreign)
        {
            ReportTogether(record, section, together, keys, place, path);
        }

        foreach (MapEntry entry in section.Entries.Except(foreign.SelectMany(together => together)))
        {
            ConfigKey? key = keys.FirstOrDefault(k => k.Name == entry.Key);
            if (key is null && !IsOfOtherVariant(record, section, entry, path, keys, out key))
            {
                key = Guess(section, entry, path, keys);
            }

            if (key is not null && seen.Add(key.Name))
            {
                BindEntry(config, key, entry, path + key.Name);
            }
        }

        foreach (ConfigKey key in keys.Where(k => k.IsRequired && !seen.Contains(k.Name)))
        {
            ReportMissing(key, place, path);
            if (key.IsSection)
            {
                // Checks between keys look at the properties of sections; those of this one they leave alone.
                key.Property.SetValue(config, Create(ConfigVariants.StandInOf(key.Property.PropertyType)));
            }
        }

        return config;
    }

    /// <summary>
    /// Reports why the variant of a section is not known, and the keys that no variant has. Of the others nothing can
    /// be said yet.
    /// </summary>
    private object StandIn(Type type, ConfigVariants variants, MapNode section, Place place, string path)
    {
        problems.AddStandIn(path.TrimEnd('.'));
        object config = Create(ConfigVariants.StandInOf(type));
        ConfigKey[] keys = [.. ConfigVariants.TypesOf(type).SelectMany(ConfigKeys.Of).DistinctBy(k => k.Name)];
        bool isNamed = false;
        foreach (MapEntry entry in section.Entries)
        {
            ConfigKey? key = Array.Find(keys, k => k.Name == entry.Key) ?? Guess(section, entry, path, keys);
            if (key is { IsDiscriminator: true } && !isNamed)
            {
                isNamed = true;
                BindEntry(config, key, entry, path + key.Name);
            }
        }

        if (!isNamed)
        {
            ReportMissing(Array.Find(keys, k => k.IsDiscriminator)!, place, path);
        }

        return config;
    }

    private void ReportMissing(ConfigKey key, Place place, string path)
    {
        string remedy = "add it; it has no default";
        if (key.IsSection)
        {
            ConfigKey[] required = [.. ConfigKeys.Of(ConfigVariants.StandInOf(key.Property.PropertyType)).Where(k => k.IsRequired)];
            IEnumerable<ConfigKey> needed = Array.Find(required, k => k.IsDiscriminator) is ConfigKey name ? [name] : required;
            remedy = $"add the section with {string.Join(", ", needed.Select(k => $"`{k.Name}`"))}";
        }

        problems.Add(place, path + key.Name, "is missing", remedy);
    }

    /// <summary>
    /// Reports a key that other variants of the section have and this one has not, if it is one. Where this one has
    /// another key for the same property, and it is absent, it is <paramref name="meant"/>, as in <see cref="Guess"/>.
    /// </summary>
    private bool IsOfOtherVariant(
        Type record, MapNode section, MapEntry entry, string path, IReadOnlyList<ConfigKey> keys, out ConfigKey? meant)
    {
        meant = null;
        if (ConfigVariants.Of(record) is not ConfigVariants variants
            || variants.Having(entry.Key) is not { Count: > 0 } others)
        {
            return false;
        }

        string[] names = [.. others.Select(other => other.Name)];
        string dotted = path.TrimEnd('.'), own = variants.NameOf(record);
        ConfigKey? same = SameProperty(others, keys);
        bool isOverridden = entry.Place != Place.CommandLine && IsNamedOnCommandLine(variants, section);
        string remedy = same is not null ? $"its key is `{path}{same.Name}`"
            : isOverridden && dotted.Length > 0 ? $"leave it out, or replace the whole section by `{dotted}={{{variants.Key}: {own}}}`"
            : $"leave it out, or set `{path}{variants.Key}` to {Listed(names, "or")}";
        problems.Add(
            entry.Place, path + entry.Key,
            $"is a key of {Listed(names, "and")}, and this {(dotted.Length > 0 ? dotted : noun)} is {own}", remedy);
        meant = section.Entries.Exists(e => e.Key == same?.Name) ? null : same;
        return true;
    }

    /// <summary>
    /// The keys that a file, or the command line, has for other variants of the section, where they are several and this one
    /// has none for the same properties: no slip, but a section of another variant, or of a time when all had all keys.
    /// </summary>
    private static MapEntry[][] KeysOfOtherVariants(Type record, MapNode section, IReadOnlyList<ConfigKey> keys) =>
        ConfigVariants.Of(record) is not ConfigVariants variants ? [] :
        [
            .. section.Entries
                .Where(entry => !keys.Any(key => key.Name == entry.Key)
                    && variants.Having(entry.Key) is { Count: > 0 } others && SameProperty(others, keys) is null)
                .GroupBy(entry => entry.Place.Source)
                .Select(together => together.ToArray())
                .Where(together => together.Length > 1),
        ];

    /// <summary>Reports keys of other variants by showing the section as this one has it.</summary>
    private void ReportTogether(
        Type record, MapNode section, MapEntry[] foreign, IReadOnlyList<ConfigKey> keys, Place place, string path)
    {
        ConfigVariants variants = ConfigVariants.Of(record)!;
        string dotted = path.TrimEnd('.'), name = dotted.Length > 0 ? dotted : noun, own = variants.NameOf(record);
        string[] others = [.. variants.Names.Where(other => Array.TrueForAll(
            foreign, entry => variants.Having(entry.Key).Any(having => having.Name == other)))];
        string kept = ConfigFlow.Of(section.Entries.Where(entry => keys.Any(key => key.Name == entry.Key)));
        string remedy = IsNamedOnCommandLine(variants, section)
            ? $"replace the whole section by `{name}={kept}`"
            : $"write it so: `{name}: {kept}`" +
                (others.Length > 0 ? $", or set `{path}{variants.Key}` to {Listed(others, "or")}" : "");
        problems.Add(
            foreign[0].Place == Place.CommandLine ? Place.CommandLine : place, name,
            $"{string.Join(", ", foreign.Select(entry => entry.Key))} are keys of {(others.Length > 0 ? Listed(others, "and") : "others")}, and this {name} is {own}",
            remedy);
    }

    /// <summary>Names in a sentence; of many the first alone.</summary>
    private static string Listed(string[] names, string conjunction) => names.Length <= 3
        ? string.Join($" {conjunction} ", names)
        : $"{names[0]}, {names[1]} {conjunction} {names.Length - 2} others";

    private static ConfigKey? SameProperty(IReadOnlyList<(string Name, ConfigKey Key)> others, IReadOnlyList<ConfigKey> keys) =>
        keys.FirstOrDefault(key => others.Any(other => other.Key.Property.Name == key.Property.Name));

    /// <summary>Whether a file said another variant, and the command line this one.</summary>
    private static bool IsNamedOnCommandLine(ConfigVariants variants, MapNode section) =>
        section.Entries.Exists(entry => entry.Key == variants.Key && entry.Place == Place.CommandLine);

    /// <summary>
    /// Reports an unknown key. Where an absent key is but a slip away it is returned, so that its value is checked
    /// too and it is not reported as missing besides.
    /// </summary>
    private ConfigKey? Guess(MapNode section, MapEntry entry, string path, IReadOnlyList<ConfigKey> keys)
    {
        ConfigKey? meant = keys
            .Where(k => section.Entries.TrueForAll(e => e.Key != k.Name) && NearestName.IsClose(entry.Key, k.Name))
            .MinBy(k => NearestName.Distance(entry.Key, k.Name));
        string? elsewhere = ConfigKeys.Of(root)
            .Where(s => s.IsSection)
            .SelectMany(s => ConfigVariants.TypesOf(s.Property.PropertyType)
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
                key.Property.SetValue(config, Create(ConfigVariants.StandInOf(key.Property.PropertyType)));
                return;
            }

            inner ??= new MapNode(entry.Place, []);
            key.Property.SetValue(config, Bind(key.Property.PropertyType, inner, entry.Place, dotted + "."));
            return;
        }

        try
        {
            if (key.IsDiscriminator)
            {
                // The record has set it by itself.
                ConfigVariants.Of(config.GetType())!.Check(entry.Value);
                return;
            }

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
