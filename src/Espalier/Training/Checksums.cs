namespace Espalier.Training;

/// <summary>
/// The SHA-256 of every file of a folder, in a file as <c>sha256sum</c> writes it and <c>sha256sum -c</c> reads it: one flipped bit in a
/// weight makes another model, and nothing else would tell.
/// </summary>
internal static class Checksums
{
    public const string Name = "SHA256SUMS";

    /// <summary>Whether a folder has them.</summary>
    public static bool AreIn(string folder) => File.Exists(Path.Combine(folder, Name));

    /// <summary>Writes down what a folder holds now.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="known">The hashes of files that need not be read again.</param>
    public static void Write(string folder, IReadOnlyDictionary<string, string>? known = null) => AtomicFile.Write(
        Path.Combine(folder, Name),
        string.Concat(Files(folder).Select(file =>
            Sha256.Line(known?.GetValueOrDefault(file) ?? Sha256.OfFile(Path.Combine(folder, file)), file))));

    /// <summary>What is wrong with a folder, in words, each with the name of a file; nothing where it is as it was written.</summary>
    /// <exception cref="UserErrorException">A file cannot be read.</exception>
    public static IEnumerable<string> Problems(string folder)
    {
        string list = Path.Combine(folder, Name);
        try
        {
            return [.. Compare(folder, File.ReadAllLines(list))];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{folder} cannot be verified: {exception.Message}", inner: exception);
        }
    }

    private static IEnumerable<string> Compare(string folder, string[] lines)
    {
        Dictionary<string, string> expected = [];
        foreach (string line in lines)
        {
            if (line.Length < 67 || line[64..66] != "  " || !expected.TryAdd(line[66..], line[..64]))
            {
                yield return $"{Name} is damaged";
                yield break;
            }
        }

        string[] files = Files(folder);
        foreach (string missing in expected.Keys.Except(files))
        {
            yield return $"{missing} is missing";
        }

        foreach (string file in files)
        {
            if (!expected.TryGetValue(file, out string? hash))
            {
                yield return $"{file} does not belong to it";
            }
            else if (Sha256.OfFile(Path.Combine(folder, file)) != hash)
            {
                yield return $"{file} is not as it was written";
            }
        }
    }

    private static string[] Files(string folder) =>
    [
        .. Directory.EnumerateFiles(folder).Select(file => Path.GetFileName(file))
            .Where(file => file != Name && !file.StartsWith('.')).Order(StringComparer.Ordinal),
    ];
}
