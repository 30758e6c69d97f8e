namespace Espalier;

/// <summary>Writes folders so that they are there completely or not at all, whatever interrupts.</summary>
internal static class AtomicFolder
{
    /// <summary>Lets a folder be filled under a hidden name beside its own, then renames it.</summary>
    /// <param name="folder">Its name.</param>
    /// <param name="fill">Writes files into the folder that it is given, and forces them to disk.</param>
    /// <param name="replace">Whether a folder of that name goes; else it must be empty.</param>
    /// <param name="what">For messages: <c>The checkpoint</c>.</param>
    /// <param name="hint">What to do where it cannot be written.</param>
    /// <exception cref="UserErrorException">It cannot be written; what was there before is untouched.</exception>
    public static void Write(string folder, Action<string> fill, bool replace, string what, string hint)
    {
        folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        string partial = Path.Combine(Path.GetDirectoryName(folder)!, ".partial-" + Path.GetFileName(folder));
        try
        {
            DeleteIfThere(partial);
            Directory.CreateDirectory(partial);
            fill(partial);
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: replace);
            }

            Directory.Move(partial, folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            TryDelete(partial);
            throw new UserErrorException($"{what} {folder} cannot be written: {exception.Message}", hint, exception);
        }
        catch (UserErrorException)
        {
            TryDelete(partial);
            throw;
        }
    }

    private static void DeleteIfThere(string folder)
    {
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void TryDelete(string folder)
    {
        try
        {
            DeleteIfThere(folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The failure being reported matters more than the leftover, which the next attempt clears away.
        }
    }
}
