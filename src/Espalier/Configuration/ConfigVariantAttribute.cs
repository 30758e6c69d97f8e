namespace Espalier.Configuration;

/// <summary>
/// One of the records that a section can be; the value of a key says which. It stands on the record that they all
/// derive from, once for each. A property of that name, which each record sets to its own name by itself, tells the
/// variant of a record in C#.
/// </summary>
[AttributeUsage(AttributeTargets.Class, AllowMultiple = true, Inherited = false)]
public sealed class ConfigVariantAttribute : Attribute
{
    /// <summary>A variant by its name.</summary>
    /// <param name="key">The key that tells the variants apart.</param>
    /// <param name="name">The value of that key.</param>
    /// <param name="type">The record.</param>
    public ConfigVariantAttribute(string key, string name, Type type)
    {
        Key = key;
        Name = name;
        Type = type;
    }

    /// <summary>A variant by a member of an enum, whose YAML form is its name.</summary>
    /// <param name="key">The key that tells the variants apart.</param>
    /// <param name="member">The member of the enum.</param>
    /// <param name="type">The record.</param>
    public ConfigVariantAttribute(string key, object member, Type type)
        : this(key, ConfigKeys.Kebab(member), type)
    {
    }

    /// <summary>The key that tells the variants apart.</summary>
    public string Key { get; }

    /// <summary>The value of that key.</summary>
    public string Name { get; }

    /// <summary>The record.</summary>
    public Type Type { get; }

    /// <summary>Whether a section without the key is this variant. Where no variant says so, the key is required.</summary>
    public bool IsDefault { get; init; }
}
