using System.Globalization;
using Espalier.Data;

namespace Espalier.Cli;

/// <summary>The progress line of a job on data, which Ctrl-C stops.</summary>
internal sealed class DataProgressLine : IDisposable
{
    private readonly ProgressLine _line = new();
    private readonly StopSignals _signals = new();
    private string _activity = "";

    /// <summary>Cancelled by the first signal to stop.</summary>
    public CancellationToken Token => _signals.Token;

    /// <summary>Shows how far the job has come.</summary>
    /// <exception cref="OperationCanceledException">It is to stop: some jobs are told so only here.</exception>
    public void Show(DataProgress progress)
    {
        Token.ThrowIfCancellationRequested();
        bool isNew = progress.Activity != _activity;
        _activity = progress.Activity;
        _line.Show(() => Text(progress), always: isNew);
    }

    public void Dispose()
    {
        _line.Dispose();
        _signals.Dispose();
    }

    private static string Text(DataProgress progress)
    {
        if (progress.Total <= 0)
        {
            return progress.Activity;
        }

        double share = (double)progress.Done / progress.Total;
        return string.Create(CultureInfo.InvariantCulture, $"{progress.Activity}  {ProgressLine.Bar(share, 24)}  {100 * share:F0} %");
    }
}
