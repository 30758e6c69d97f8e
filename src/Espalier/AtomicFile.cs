using System.Text;

namespace Espalier;

/// <summary>Writes files so that they are there completely or not at all, whatever interrupts.</summary>
internal static class AtomicFile
{
    /// <summary>What to do where nothing can be written.</summary>
    public const string Hint = "Free some space, or choose a folder that you may write to.";

    /// <inheritdoc cref="Write(string, Action{Stream}, string)"/>
    public static void Write(string path, string text) =>
        Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));

    /// <summary>Writes to a temporary name beside <paramref name="path"/>, forces it to disk, then renames.</summary>
    /// <exception cref="UserErrorException">It cannot be written; what was there before is untouched.</exception>
    public static void Write(
        string path, Action<Stream> write, string hint = Hint)
    {
        string? temporary = null;
        try
        {
            temporary = TemporaryName.In(Path.GetDirectoryName(Path.GetFullPath(path))!);
            using (FileStream stream = Create(temporary))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            TryDelete(temporary);
            throw new UserErrorException($"{path} cannot be written: {e.Message}", hint, e);
        }
    }

    /// <summary>Creates a file and the folders above it.</summary>
    public static FileStream Create(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        return new FileStream(path, FileMode.Create, FileAccess.ReadWrite, FileShare.None, bufferSize: 1 << 16);
    }

    /// <summary>Deletes a temporary file, if it can: a failure that is being reported matters more.</summary>
    public static void TryDelete(string? path)
    {
        try
        {
            if (path is not null)
            {
                File.Delete(path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }
}
