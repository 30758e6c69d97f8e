namespace Espalier;

/// <summary>Lets one process at a time make a folder, by a lock on a hidden file beside it.</summary>
internal sealed class FolderLock : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    private readonly FileStream _lock;

    private FolderLock(FileStream held) => _lock = held;

    /// <summary>Waits until no other process makes the folder.</summary>
    /// <param name="folder">The folder that is to be made.</param>
    /// <param name="waiting">Told again and again while another process has the lock.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <exception cref="IOException">The place cannot be written to.</exception>
    /// <exception cref="UnauthorizedAccessException">Likewise.</exception>
    public static FolderLock Wait(string folder, Action waiting, CancellationToken cancellation)
    {
        folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        string above = Path.GetDirectoryName(folder) ?? folder;
        Directory.CreateDirectory(above);
        string file = Path.Combine(above, $".{Path.GetFileName(folder)}.lock");
        while (true)
        {
            try
            {
                return new FolderLock(new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
            }
            catch (IOException exception) when (IsHeld(exception))
            {
                waiting();
                cancellation.ThrowIfCancellationRequested();
                cancellation.WaitHandle.WaitOne(Pause);
            }
        }
    }

    /// <summary>Whether a file could not be opened because another process holds it.</summary>
    public static bool IsHeld(IOException exception)
    {
        // EWOULDBLOCK, which .NET reports for a file that another process holds.
        const int WouldBlock = 11;
        return exception.HResult == WouldBlock;
    }

    /// <summary>Deletes the file while it is still held, so that nobody is left to wait for it.</summary>
    public void Dispose()
    {
        AtomicFile.TryDelete(_lock.Name);
        _lock.Dispose();
    }
}
