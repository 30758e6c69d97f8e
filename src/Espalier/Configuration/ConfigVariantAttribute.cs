namespace Espalier.Configuration;

/// <summary>
/// One of the records that a section of a recipe can be; the value of a key says which. The first is the default.
/// </summary>
/// <param name="key">The key that tells the variants apart.</param>
/// <param name="member">The enum member that names this one.</param>
/// <param name="type">Its record.</param>
[AttributeUsage(AttributeTargets.Class, AllowMultiple = true)]
public sealed class ConfigVariantAttribute(string key, string member, Type type) : Attribute
{
    /// <summary>The key that tells the variants apart.</summary>
    public string Key { get; } = key;

    /// <summary>The value of that key.</summary>
    public string Value { get; } = ConfigKeys.Kebab(member);

    /// <summary>The record.</summary>
    public Type Type { get; } = type;
}
