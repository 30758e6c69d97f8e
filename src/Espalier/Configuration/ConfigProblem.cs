namespace Espalier.Configuration;

/// <summary>Something that is wrong with a key of a section, said by the section's own record.</summary>
/// <param name="Key">The key, within the section.</param>
/// <param name="What">What is wrong, continuing "KEY: ...".</param>
/// <param name="Remedy">What to do about it.</param>
/// <param name="Because">The key that made it necessary, where the first may be absent.</param>
public sealed record ConfigProblem(string Key, string What, string Remedy, string? Because = null);
