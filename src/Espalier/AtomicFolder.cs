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
        string folder, Action<string> fill, bool replace, string what, string hint = AtomicFile.Hint) =>
        Saying(folder, what, hint, () => Write(folder, fill, replace));

    /// <summary>The same for a caller that has a message of its own for what goes wrong.</summary>
    /// <inheritdoc cref="Write(string, Action{string}, bool, string, string)" path="/param"/>
    /// <exception cref="IOException">It cannot be written; what was there before is untouched.</exception>
    /// <exception cref="UnauthorizedAccessException">Likewise.</exception>
    public static void Write(string folder, Action<string> fill, bool replace) => Complete(Beside(folder), folder, fill, replace);

    /// <summary>A hidden name beside a folder's own, for several processes to fill.</summary>
    /// <param name="folder">The folder.</param>
    /// <exception cref="IOException">What a killed process left there cannot be deleted.</exception>
    public static string Beside(string folder)
    {
        folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        return TemporaryName.In(Path.GetDirectoryName(folder) ?? folder);
    }

    /// <summary>Puts files into a folder under a hidden name, which somebody else will complete or delete.</summary>
    /// <param name="partial">The hidden name.</param>
    /// <param name="folder">Its name.</param>
    /// <param name="fill">Writes files into the folder that it is given, and forces them to disk.</param>
    /// <param name="what">For messages: <c>The checkpoint</c>.</param>
    /// <param name="hint">What to do where it cannot be written.</param>
    /// <exception cref="UserErrorException">It cannot be written.</exception>
    public static void Fill(string partial, string folder, Action<string> fill, string what, string hint) =>
        Saying(folder, what, hint, () => Fill(partial, folder, fill));

    /// <summary>Lets a folder under a hidden name be filled, into which others may have put files already, then gives it its own.</summary>
    /// <param name="partial">The hidden name.</param>
    /// <param name="folder">Its name.</param>
    /// <param name="fill">Writes files into the folder that it is given, and forces them to disk.</param>
    /// <param name="replace">Whether a folder of that name goes; else it must be empty.</param>
    /// <param name="what">For messages: <c>The checkpoint</c>.</param>
    /// <param name="hint">What to do where it cannot be written.</param>
    /// <exception cref="UserErrorException">It cannot be written; what was there before is untouched.</exception>
    public static void Complete(string partial, string folder, Action<string> fill, bool replace, string what, string hint) =>
        Saying(folder, what, hint, () => Complete(partial, folder, fill, replace));

    /// <summary>Deletes what is under a hidden name, if that can be done.</summary>
    public static void TryDelete(string partial)
    {
        try
        {
            if (Directory.Exists(partial))
            {
                Directory.Delete(partial, recursive: true);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The failure being reported matters more than the leftover, which a later process clears away.
        }
    }

    private static void Complete(string partial, string folder, Action<string> fill, bool replace)
    {
        try
        {
            Fill(partial, folder, fill);
            folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: replace);
            }

            Directory.Move(partial, folder);
        }
        catch
        {
            TryDelete(partial);
            throw;
        }
    }

    private static void Fill(string partial, string folder, Action<string> fill)
    {
        try
        {
            Directory.CreateDirectory(partial);
            fill(partial);
        }
        catch (UserErrorException exception) when (exception.Message.Contains(partial, StringComparison.Ordinal))
        {
            // The hidden name tells nobody anything.
            string name = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
            throw new UserErrorException(exception.Message.Replace(partial, name, StringComparison.Ordinal), exception.Hint, exception);
        }
    }

    /// <summary>Does something about a folder, and says so where it fails.</summary>
    /// <exception cref="UserErrorException">It fails.</exception>
    public static void Saying(string folder, string what, string hint, Action write)
    {
        try
        {
            write();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Failure(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)), what, hint, exception);
        }
    }

    private static UserErrorException Failure(string folder, string what, string hint, Exception exception) =>
        new($"{what} {folder} cannot be written: {exception.Message}", hint, exception);
}
