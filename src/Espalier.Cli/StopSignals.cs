using System.Runtime.InteropServices;

namespace Espalier.Cli;

/// <summary>
/// Signals as a token, by which the work under way saves what it has and leaves: Ctrl-C, SIGTERM, the end of the terminal
/// (SIGHUP), and SIGUSR1, by which a batch system warns before it ends a job. A second Ctrl-C or SIGTERM kills. A process that
/// another one has started for itself also leaves when its input ends, as it does when that one dies.
/// </summary>
internal sealed class StopSignals : IDisposable
{
    /// <summary>Set to 1 for a process that leaves when its input ends.</summary>
    public const string WithInput = "ESPALIER_STOP_WITH_INPUT";

    // .NET has no name for it; it takes a system's own numbers too, and Linux has this one everywhere but on MIPS and Alpha.
    private const PosixSignal SigUsr1 = (PosixSignal)10;

    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _registrations;
    private int _asked;

    public StopSignals()
    {
        PosixSignal[] signals = OperatingSystem.IsLinux()
            ? [PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP, SigUsr1]
            : [PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP];
        _registrations = [.. signals.Select(signal => PosixSignalRegistration.Create(signal, Stop))];
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
        // A dying terminal says so twice, and a batch system asks again with SIGTERM what it has warned of: neither may break
        // the saving off. The default action of a person's second signal ends the process at once.
        bool isOrder = context.Signal is PosixSignal.SIGINT or PosixSignal.SIGTERM;
        context.Cancel = !isOrder || Interlocked.Increment(ref _asked) == 1;
        _source.Cancel();
    }
}
