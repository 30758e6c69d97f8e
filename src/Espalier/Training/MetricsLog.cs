using System.Globalization;
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
            _csv = new StreamWriter(_path, append: true) { AutoFlush = true, NewLine = "\n" };
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw CannotWrite(exception);
        }

        _tensorBoard = new TensorBoardWriter(run.TensorBoardFolder, step > 0 ? step + 1 : null);
    }

    public void Write(MetricsRow row)
    {
        try
        {
            _csv.WriteLine(row.ToCsv());
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

    private void KeepRowsUpTo(long step)
    {
        IEnumerable<string> rows = File.Exists(_path)
            ? File.ReadLines(_path).Skip(1).Where(row => StepOf(row) is long number && number <= step)
            : [];
        string partial = _path + ".partial";
        File.WriteAllText(partial, string.Join('\n', [MetricsRow.Header, .. rows]) + "\n");
        File.Move(partial, _path, overwrite: true);
    }

    /// <summary>The step of a row; none where a kill has cut the row short.</summary>
    private static long? StepOf(string row)
    {
        string[] cells = row.Split(',');
        return cells.Length == MetricsRow.Header.Split(',').Length
            && long.TryParse(cells[0], NumberStyles.None, CultureInfo.InvariantCulture, out long step)
            ? step
            : null;
    }

    private UserErrorException CannotWrite(Exception exception) => new(
        $"{_path} cannot be written: {exception.Message}",
        "Free some space, or choose a folder that you may write to; the same command then goes on.",
        exception);
}
