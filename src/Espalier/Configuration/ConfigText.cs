namespace Espalier.Configuration;

/// <summary>A value as it was written, one piece of text, a list or keys of its own, for an <see cref="IConfigValue{TSelf}"/> to read.</summary>
public sealed class ConfigText
{
    private readonly ConfigNode _node;
    private readonly string _expected;

    internal ConfigText(ConfigNode node, string expected)
    {
        _node = node;
        _expected = expected;
    }

    /// <summary>Whether it is a list.</summary>
    public bool IsList => _node is ListNode;

    /// <summary>The text.</summary>
    /// <exception cref="BadValueException">It is a list.</exception>
    public string Text => ConfigValue.Text(_node, _expected);

    /// <summary>Its keys with their values, in order; none where it has no keys.</summary>
    public IEnumerable<(string Key, ConfigText Value)> Entries =>
        _node is MapNode map ? map.Entries.Select(entry => (entry.Key, new ConfigText(entry.Value, _expected))) : [];

    /// <summary>Whether it has keys.</summary>
    public bool HasKeys => _node is MapNode;

    /// <summary>The value in one line, as a `key=value` of the command line takes it.</summary>
    public string Flow => ConfigFlow.Of(_node);

    /// <summary>Reads it as a value of another type, such as an enum or a list of whole numbers.</summary>
    /// <typeparam name="T">Any type that a config property can have.</typeparam>
    /// <param name="orElse">What else is allowed here, continuing "is not one of a, b".</param>
    /// <exception cref="BadValueException">It is no such value.</exception>
    public T As<T>(string orElse = "") => (T)ConfigValue.Read(typeof(T), _node, orElse)!;
}
