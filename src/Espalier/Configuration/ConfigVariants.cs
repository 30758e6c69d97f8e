using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Reflection;

namespace Espalier.Configuration;

/// <summary>The records that a section can be, and the key that tells them apart.</summary>
internal sealed class ConfigVariants
{
    private static readonly ConcurrentDictionary<Type, ImmutableArray<ConfigVariantAttribute>> Registered = [];

    private readonly ConfigVariantAttribute[] _variants;

    private ConfigVariants(ConfigVariantAttribute[] variants) => _variants = variants;

    /// <summary>The key that tells the variants apart.</summary>
    public string Key => _variants[0].Key;

    /// <summary>Its values.</summary>
    public IEnumerable<string> Names => _variants.Select(variant => variant.Name);

    /// <summary>The record of a section without the key; null where the key is required.</summary>
    public Type? Default => Array.Find(_variants, variant => variant.IsDefault)?.Type;

    /// <summary>The variants of a config record, which may be the base of them or one of them; null for a record that has none.</summary>
    public static ConfigVariants? Of(Type config)
    {
        for (Type? type = config; type is not null; type = type.BaseType)
        {
            if (type.GetCustomAttributes<ConfigVariantAttribute>(inherit: false).ToArray() is { Length: > 0 } variants)
            {
                return new ConfigVariants(Registered.TryGetValue(type, out var others) ? [.. variants, .. others] : variants);
            }
        }

        return null;
    }

    /// <summary>Adds a variant of somebody's own, for as long as the process runs.</summary>
    /// <param name="section">The record that has variants.</param>
    /// <param name="name">The value of their key.</param>
    /// <param name="type">The record, which derives from the section's.</param>
    /// <exception cref="ArgumentException">Another variant has the name, or the record says another, or cannot be made.</exception>
    public static void Register(Type section, string name, Type type)
    {
        lock (Registered)
        {
            ConfigVariants known = Of(section)!;
            if (type.IsAbstract || type.GetConstructor([]) is null)
            {
                throw new ArgumentException($"{type.Name} is abstract, or has no constructor without arguments", nameof(type));
            }

            object? says = ConfigKeys.Of(type).FirstOrDefault(key => key.Name == known.Key)?.Property.GetValue(Activator.CreateInstance(type));
            if (says as string != name)
            {
                throw new ArgumentException($"'{name}' is not what {type.Name} says of itself: its `{known.Key}` is '{says}'", nameof(name));
            }

            if (known.TypeOf(name) is not Type other)
            {
                Registered.AddOrUpdate(section, [new(known.Key, name, type)], (_, before) => before.Add(new(known.Key, name, type)));
            }
            else if (other != type)
            {
                throw new ArgumentException($"'{name}' is {other.Name} already", nameof(name));
            }
        }
    }

    /// <summary>The records that a section can be: its variants, or just itself.</summary>
    public static IEnumerable<Type> TypesOf(Type section) =>
        Of(section) is ConfigVariants variants ? variants._variants.Select(variant => variant.Type) : [section];

    /// <summary>The record that stands for a section of which nothing is known: the default, or the first.</summary>
    public static Type StandInOf(Type section) =>
        Of(section) is ConfigVariants variants ? variants.Default ?? variants._variants[0].Type : section;

    /// <summary>The record of a name, or null.</summary>
    public Type? TypeOf(string name) => Array.Find(_variants, variant => variant.Name == name)?.Type;

    /// <summary>The name of a record.</summary>
    public string NameOf(Type type) => _variants.Single(variant => variant.Type == type).Name;

    /// <summary>The variants that have a key, by their names.</summary>
    public IReadOnlyList<(string Name, ConfigKey Key)> Having(string key) =>
    [
        .. _variants
            .Select(variant => (variant.Name, Key: ConfigKeys.Of(variant.Type).FirstOrDefault(k => k.Name == key)!))
            .Where(variant => variant.Key is not null),
    ];

    /// <summary>Checks that the value of <see cref="Key"/> is one of <see cref="Names"/>.</summary>
    /// <exception cref="BadValueException">It is none.</exception>
    public void Check(ConfigNode value)
    {
        string expected = $"write one of {string.Join(", ", Names)}";
        string name = value is ScalarNode { IsNull: true }
            ? throw new BadValueException("has no value", expected)
            : ConfigValue.Text(value, expected);
        if (TypeOf(name) is null)
        {
            throw ConfigValue.NotOneOf(name, Names);
        }
    }
}
