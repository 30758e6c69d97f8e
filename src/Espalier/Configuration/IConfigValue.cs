namespace Espalier.Configuration;

/// <summary>
/// A type of values that knows its own YAML form: one piece of text, a list, or keys of its own.
/// <see cref="object.ToString"/> writes the form that <see cref="Parse"/> reads back to an equal value.
/// </summary>
/// <typeparam name="TSelf">The type itself.</typeparam>
public interface IConfigValue<TSelf>
    where TSelf : IConfigValue<TSelf>
{
    /// <summary>The remedy for a value of another kind: "write ...".</summary>
    static abstract string Expected { get; }

    /// <summary>Whether it is written as keys with values.</summary>
    static virtual bool HasKeys => false;

    /// <summary>Reads the YAML form.</summary>
    /// <param name="text">The value as it was written.</param>
    /// <exception cref="BadValueException">It is no such value.</exception>
    static abstract TSelf Parse(ConfigText text);
}
