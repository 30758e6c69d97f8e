namespace Espalier;

/// <summary>Writes folders so that they are there completely or not at all, whatever interrupts.</summary>
internal static class AtomicFolder
{
    /// <summary>Tries whether a folder can be written, and leaves nothing behind.</summary>
    /// <inheritdoc cref="Write(string, Action{string}, bool, string, string)" path="/param"/>
    /// <exception cref="UserErrorException">It cannot.</exception>
    public static void Try(string folder, string what, string hint = AtomicFile.Hint)
    {
        string existing = Path.GetFullPath(folder);
        while (!Path.Exists(existing))
        {
            existing = Path.GetDirectoryName(existing)!;
        }

        try
        {
            if (File.Exists(existing))
            {
                throw new IOException($"{existing} is a file.");
            }

            string probe = TemporaryName.In(existing);
            Directory.CreateDirectory(probe);
            Directory.Delete(probe);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Failure(folder, what, hint, exception);
        }
    }

    /// <summary>Lets a folder be filled under a hidden name beside its own, then renames it.</summary>
    /// <param name="folder">Its name.</param>
    /// <param name="fill">Writes files into the folder that it is given, and forces them to disk.</param>
    /// <param name="replace">Whether a folder of that name goes; else it must be empty.</param>
    /// <param name="what">For messages: <c>The checkpoint</c>.</param>
    /// <param name="hint">What to do where it cannot be written.</param>
    /// <exception cref="UserErrorException">It cannot be written; what was there before is untouched.</exception>
    public static void Write(
        string folder, Action<string> fill, bool replace, string what, string hint = AtomicFile.Hint)
    {
        try
        {
            Write(folder, fill, replace);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Failure(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)), what, hint, exception);
        }
    }

    /// <summary>The same for a caller that has a message of its own for what goes wrong.</summary>
    /// <inheritdoc cref="Write(string, Action{string}, bool, string, string)" path="/param"/>
    /// <exception cref="IOException">It cannot be written; what was there before is untouched.</exception>
    /// <exception cref="UnauthorizedAccessException">Likewise.</exception>
    public static void Write(string folder, Action<string> fill, bool replace)
    {
        folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        string partial = TemporaryName.In(Path.GetDirectoryName(folder) ?? folder);
        try
        {
            Directory.CreateDirectory(partial);
            fill(partial);
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: replace);
            }

            Directory.Move(partial, folder);
        }
        catch (UserErrorException exception) when (exception.Message.Contains(partial, StringComparison.Ordinal))
        {
            // The hidden name tells nobody anything.
            TryDelete(partial);
            throw new UserErrorException(exception.Message.Replace(partial, folder, StringComparison.Ordinal), exception.Hint, exception);
        }
        catch
        {
            TryDelete(partial);
            throw;
        }
    }

    private static UserErrorException Failure(string folder, string what, string hint, Exception exception) =>
        new($"{what} {folder} cannot be written: {exception.Message}", hint, exception);

    private static void TryDelete(string folder)
    {
        try
        {
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The failure being reported matters more than the leftover, which a later process clears away.
        }
    }
}
