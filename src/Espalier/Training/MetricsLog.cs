using Espalier.Interop;

namespace Espalier.Training;

/// <summary>Writes the rows of a run to <c>metrics.csv</c> and to TensorBoard.</summary>
internal sealed class MetricsLog : IDisposable
{
    private readonly string _path;
    private readonly StreamWriter _csv;
    private readonly TensorBoardWriter _tensorBoard;

    /// <summary>Opens the metrics of a run, and drops the rows that it will write again.</summary>
    /// <param name="run">The run's folder.</param>
    /// <param name="step">The step that the run goes on from.</param>
    public MetricsLog(RunDirectory run, long step)
    {
        _path = run.MetricsFile;
        try
        {
            KeepRowsUpTo(step);

            // Without a buffer, what could not be written is not tried again when the writer is disposed of.
            _csv = new StreamWriter(new FileStream(_path, FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0))
            {
                AutoFlush = true,
                NewLine = "\n",
            };
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw CannotWrite(exception);
        }

        // Also from step 0: an attempt that was killed before its first checkpoint has left events.
        _tensorBoard = new TensorBoardWriter(run.TensorBoardFolder, step + 1);
    }

    public void Write(MetricsRow row)
    {
        try
        {
            _csv.WriteLine(MetricsCsv.Line(row));
        }
        catch (IOException exception)
        {
            throw CannotWrite(exception);
        }

        _tensorBoard.Scalars(row.Step, row.ToScalars());
        _tensorBoard.Flush();
    }

    public void Dispose()
    {
        _csv.Dispose();
        _tensorBoard.Dispose();
    }

    /// <summary>Copies the rows of another run up to a step, as they stand.</summary>
    /// <param name="from">Its metrics; nothing is copied where there are none.</param>
    /// <param name="to">The metrics of a run that has not begun, which they replace.</param>
    /// <param name="step">The last step to copy.</param>
    /// <returns>The rows.</returns>
    /// <exception cref="UserErrorException">A row is damaged, or the file cannot be written.</exception>
    public static MetricsRow[] Copy(string from, string to, long step)
    {
        string[] rows = [.. RowsUpTo(from, step)];
        string text = Text(rows);
        AtomicFile.Write(to, text);
        return rows.Length > 0 ? [.. MetricsCsv.Parse(from, text)] : [];
    }

    private void KeepRowsUpTo(long step) => AtomicFile.Write(_path, Text(RowsUpTo(_path, step)));

    private static IEnumerable<string> RowsUpTo(string path, long step) => File.Exists(path)
        ? File.ReadLines(path).Skip(1).Where(row => MetricsCsv.StepOf(row) is long number && number <= step)
        : [];

    private static string Text(IEnumerable<string> rows) => string.Join('\n', [MetricsCsv.Header, .. rows]) + "\n";

    private UserErrorException CannotWrite(Exception exception) => new(
        $"{_path} cannot be written: {exception.Message}",
        "Free some space, or choose a folder that you may write to; the same command then goes on.",
        exception);
}
