namespace Espalier.Configuration;

/// <summary>A value that cannot be read.</summary>
/// <param name="what">What is wrong, continuing "KEY: ...".</param>
/// <param name="remedy">What to do about it.</param>
public sealed class BadValueException(string what, string remedy) : Exception(what)
{
    /// <summary>What to do about it.</summary>
    public string Remedy { get; } = remedy;
}
