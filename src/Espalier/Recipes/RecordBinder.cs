using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;

namespace Espalier.Recipes;

/// <summary>
/// Fills config records from YAML: keys by <see cref="RecipeKeys"/>, values by <see cref="RecipeValue"/>, limits by
/// the <see cref="ValidationAttribute"/>s of the properties. Goes on after a problem, so as to find them all.
/// </summary>
/// <param name="problems">Where they go.</param>
/// <param name="root">The config record of the whole file.</param>
/// <param name="noun">What such a file is called.</param>
internal sealed class RecordBinder(RecipeProblems problems, Type root, string noun)
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
    /// <param name="path">Its dotted key and a dot, or nothing for the whole recipe.</param>
    public object Bind(Type type, MapNode section, Place place, string path = "")
    {
        _places[path.TrimEnd('.')] = place;
        type = VariantOf(type, section);
        object config = Activator.CreateInstance(type)!;
        IReadOnlyList<RecipeKey> keys = RecipeKeys.Of(type);
        var seen = new HashSet<string>();
        foreach (MapEntry entry in section.Entries)
        {
            RecipeKey? key = keys.FirstOrDefault(k => k.Name == entry.Key)
                ?? Guess(type, entry, path, keys.Where(k => section.Entries.TrueForAll(e => e.Key != k.Name)), keys);
            if (key is not null && seen.Add(key.Name))
            {
                BindEntry(config, key, entry, path + key.Name);
            }
        }

        foreach (RecipeKey key in keys.Where(k => k.IsRequired && !seen.Contains(k.Name)))
        {
            Type usual = RecipeKeys.VariantsOf(key.Property.PropertyType)[0];
            IEnumerable<string> needed = key.IsSection
                ? RecipeKeys.Of(usual).Where(k => k.IsRequired).Select(k => $"`{k.Name}`")
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
        type.GetCustomAttributes<RecipeVariantAttribute>(inherit: false)
            .FirstOrDefault(variant => section.Entries.Exists(
                entry => entry.Key == variant.Key && entry.Value is ScalarNode scalar && scalar.Text == variant.Value))?.Type
        ?? RecipeKeys.VariantsOf(type)[0];

    /// <summary>
    /// Reports an unknown key. Where an absent key is but a slip away it is returned, so that its value is checked
    /// too and it is not reported as missing besides.
    /// </summary>
    private RecipeKey? Guess(
        Type type, MapEntry entry, string path, IEnumerable<RecipeKey> absent, IReadOnlyList<RecipeKey> keys)
    {
        RecipeVariantAttribute[] variants = [.. type.BaseType!.GetCustomAttributes<RecipeVariantAttribute>(inherit: false)];
        foreach (RecipeVariantAttribute other in variants)
        {
            if (RecipeKeys.Of(other.Type).FirstOrDefault(k => k.Name == entry.Key) is RecipeKey foreign)
            {
                string variant = variants.Single(v => v.Type == type).Value;
                RecipeKey? own = keys.FirstOrDefault(k => k.Property.Name == foreign.Property.Name);
                problems.Add(
                    entry.Place, path + entry.Key,
                    $"is a key of {other.Value}, and this {path.TrimEnd('.')} is {variant}",
                    own is not null ? $"its key is `{path}{own.Name}`"
                        : $"leave it out, or set `{path}{other.Key}` to {other.Value}");
                return absent.FirstOrDefault(k => k.Name == own?.Name);
            }
        }

        RecipeKey? meant = absent.Where(k => NearestName.IsClose(entry.Key, k.Name))
            .MinBy(k => NearestName.Distance(entry.Key, k.Name));
        string? elsewhere = RecipeKeys.Of(root)
            .Where(s => s.IsSection)
            .SelectMany(s => RecipeKeys.VariantsOf(s.Property.PropertyType)
                .SelectMany(RecipeKeys.Of).Select(k => (Section: s.Name, k.Name)))
            .Where(k => k.Name == entry.Key)
            .Select(k => $"{k.Section}.{k.Name}")
            .FirstOrDefault();
        string nearest = meant is not null ? path + meant.Name
            : elsewhere ?? path + NearestName.Of(entry.Key, keys.Select(k => k.Name));
        problems.Add(entry.Place, path + entry.Key, $"is not a key of a {noun}", $"did you mean `{nearest}`?");
        return meant;
    }

    private void BindEntry(object config, RecipeKey key, MapEntry entry, string dotted)
    {
        _places[dotted] = entry.Place;
        if (key.IsSection)
        {
            MapNode? inner = entry.Value as MapNode;
            bool isEmpty = entry.Value is ScalarNode { IsNull: true };
            if (inner is null && !isEmpty)
            {
                problems.Add(entry.Place, dotted, "must be a section", "put its keys below it, indented");
                key.Property.SetValue(config, Activator.CreateInstance(RecipeKeys.VariantsOf(key.Property.PropertyType)[0]));
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
                : RecipeValue.Read(key.Property.PropertyType, entry.Value);
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

        string text = RecipeValue.Format(value);
        if (property.GetCustomAttribute<RangeAttribute>() is RangeAttribute range)
        {
            double number = Convert.ToDouble(value, CultureInfo.InvariantCulture);
            double least = Convert.ToDouble(range.Minimum, CultureInfo.InvariantCulture);
            double most = Convert.ToDouble(range.Maximum, CultureInfo.InvariantCulture);
            bool isTooSmall = range.MinimumIsExclusive ? number <= least : number < least;
            bool isTooLarge = range.MaximumIsExclusive ? number >= most : number > most;
            if (isTooSmall || isTooLarge)
            {
                string from = range.MinimumIsExclusive ? $"more than {RecipeValue.Format(least)}" : $"at least {RecipeValue.Format(least)}";
                string to = range.MaximumIsExclusive ? $"less than {RecipeValue.Format(most)}" : $"at most {RecipeValue.Format(most)}";
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
