namespace Espalier.Configuration;

/// <summary>
/// The YAML key of a config property, where it is not the property's name in snake_case (`MicroBatch` is
/// `micro_batch` by itself; `HiddenSize` goes by the field's customary `n_embd`).
/// </summary>
/// <param name="name">The key as it stands in a file.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class YamlKeyAttribute(string name) : Attribute
{
    /// <summary>The key as it stands in a file.</summary>
    public string Name { get; } = name;
}
