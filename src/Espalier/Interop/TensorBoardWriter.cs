using System.Globalization;

namespace Espalier.Interop;

/// <summary>
/// Scalars for TensorBoard. Every writer opens a new events file in the folder; one that continues a run first tells
/// TensorBoard which steps it will write again, so that those of the interrupted attempt disappear.
/// </summary>
internal sealed class TensorBoardWriter : IDisposable
{
    private const string Prefix = "events.out.tfevents.";

    private readonly FileStream _stream;
    private readonly TimeProvider _clock;

    /// <summary>Opens a new events file.</summary>
    /// <param name="folder">Made if it does not exist.</param>
    /// <param name="firstStep">
    /// The first step that this writer will write: everything that earlier files of the folder say of this step and of
    /// later ones is void. Null: keep all.
    /// </param>
    /// <param name="clock">Where wall times come from; the system by default.</param>
    /// <exception cref="UserErrorException">The file cannot be written.</exception>
    public TensorBoardWriter(string folder, long? firstStep = null, TimeProvider? clock = null)
    {
        _clock = clock ?? TimeProvider.System;
        string path = folder;
        try
        {
            Directory.CreateDirectory(folder);
            path = NewPath(folder);
            _stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CannotWrite(path, e);
        }

        Append(TensorBoardEvent.Version(WallTime));
        if (firstStep is long step)
        {
            Append(TensorBoardEvent.Start(WallTime, step));
        }

        Flush();
    }

    private double WallTime => (_clock.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalSeconds;

    /// <summary>Writes several values of one step, as one record.</summary>
    /// <param name="step">Updates done.</param>
    /// <param name="scalars">Charts, such as <c>train/loss</c>, and values, of which the format keeps single precision.</param>
    /// <exception cref="UserErrorException">The file cannot be written.</exception>
    public void Scalars(long step, params IReadOnlyList<(string Tag, double Value)> scalars) =>
        Append(TensorBoardEvent.Scalars(WallTime, step, scalars));

    /// <summary>Hands everything to the operating system, so that a TensorBoard that is watching sees it.</summary>
    /// <exception cref="UserErrorException">The file cannot be written.</exception>
    public void Flush()
    {
        try
        {
            _stream.Flush();
        }
        catch (IOException e)
        {
            throw CannotWrite(_stream.Name, e);
        }
    }

    /// <summary>Closes the file. What <see cref="Flush"/> has not been asked to write may be missing on a full disk.</summary>
    public void Dispose()
    {
        try
        {
            _stream.Dispose();
        }
        catch (IOException)
        {
            // Flush has reported it.
        }
    }

    private void Append(byte[] message)
    {
        try
        {
            TensorBoardRecord.Write(_stream, message);
        }
        catch (IOException e)
        {
            throw CannotWrite(_stream.Name, e);
        }
    }

    /// <summary>TensorBoard reads files by name, so a new one must sort after all others, even within a second.</summary>
    private string NewPath(string folder)
    {
        long second = (long)WallTime;
        foreach (string file in Directory.EnumerateFiles(folder, Prefix + "*"))
        {
            string stamp = Path.GetFileName(file)[Prefix.Length..].Split('.')[0];
            if (long.TryParse(stamp, NumberStyles.None, CultureInfo.InvariantCulture, out long taken))
            {
                second = Math.Max(second, taken + 1);
            }
        }

        return Path.Combine(folder, string.Create(
            CultureInfo.InvariantCulture, $"{Prefix}{second:D10}.{Environment.MachineName}.{Environment.ProcessId}"));
    }

    private static UserErrorException CannotWrite(string path, Exception e) => new(
        $"Cannot write '{path}': {e.Message}", "Free some space, or choose a folder that you may write to.", e);
}
