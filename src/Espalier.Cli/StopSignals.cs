using System.Runtime.InteropServices;

namespace Espalier.Cli;

/// <summary>
/// Ctrl-C and SIGTERM as a token: the work under way saves what it has and leaves. A second one kills. A process that another one
/// has started for itself also leaves when its input ends, as it does when that one dies.
/// </summary>
internal sealed class StopSignals : IDisposable
{
    /// <summary>Set to 1 for a process that leaves when its input ends.</summary>
    public const string WithInput = "ESPALIER_STOP_WITH_INPUT";

    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _registrations;

    public StopSignals()
    {
        _registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop),
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop),
        ];
        if (Environment.GetEnvironmentVariable(WithInput) == "1")
        {
            new Thread(StopAtEndOfInput) { IsBackground = true }.Start();
        }
    }

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => _source.Token;

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
        {
            registration.Dispose();
        }

        _source.Dispose();
    }

    private void StopAtEndOfInput()
    {
        Console.OpenStandardInput().CopyTo(Stream.Null);
        try
        {
            _source.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The work came to its end first.
        }
    }

    private void Stop(PosixSignalContext context)
    {
        // The default action of the second signal ends the process at once.
        context.Cancel = !_source.IsCancellationRequested;
        _source.Cancel();
    }
}
