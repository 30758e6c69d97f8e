using System.Globalization;
using Espalier.Distributed;
using Espalier.Torch;

namespace Espalier.Cli;

/// <summary>What a person sees when something goes wrong.</summary>
internal static class Failures
{
    /// <summary>The exit code after Ctrl-C: 128 and the signal's number.</summary>
    public const int Interrupted = 130;

    /// <summary>The exit code after a mistake of Espalier's own: EX_SOFTWARE of sysexits.h.</summary>
    public const int OwnMistake = 70;

    private const int UserMistake = 1;

    /// <summary>
    /// Runs a command; a mistake of the user becomes one message on stderr and exit code 1, one of Espalier's own a message
    /// that names what it was at, with the trace in a file.
    /// </summary>
    /// <param name="arguments">The command line.</param>
    /// <param name="command">What it asks for.</param>
    public static int Guard(IReadOnlyList<string> arguments, Func<int> command)
    {
        try
        {
            return command();
        }
        catch (UserErrorException exception)
        {
            return Say(exception.Message, exception.Hint);
        }
        catch (FailureElsewhereException)
        {
            return UserMistake;
        }
        catch (TorchException exception)
        {
            return Say(exception.Message, null);
        }
        catch (TypeInitializationException exception) when (exception.InnerException is TorchException inner)
        {
            return Say(inner.Message, null);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Such messages name the file.
            return Say(exception.Message, null);
        }
        catch (OperationCanceledException)
        {
            return Interrupted;
        }
        catch (OutOfMemoryException exception)
        {
            return Say($"There is not enough memory: {exception.Message}", "Give less at a time, or use a machine with more.");
        }
        catch (Exception exception)
        {
            return SayUnforeseen(string.Join(' ', arguments.Prepend("espalier")), exception);
        }
    }

    private static int SayUnforeseen(string command, Exception exception)
    {
        Console.Error.WriteLine($"error: `{command}` came to something unforeseen: {exception.GetType().Name}: {exception.Message}");
        string trace = $"{command}\n{exception}\n";
        string file = Path.Combine(Path.GetTempPath(), string.Create(
            CultureInfo.InvariantCulture, $"espalier-{DateTime.UtcNow:yyyyMMdd-HHmmss}-{Environment.ProcessId}.log"));
        try
        {
            File.WriteAllText(file, trace);
            Console.Error.WriteLine($"HINT: This is a mistake of Espalier's own. Report it with what stands in {file}.");
        }
        catch (Exception unwritable) when (unwritable is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"HINT: This is a mistake of Espalier's own. Report it with this:\n{trace}");
        }

        return OwnMistake;
    }

    private static int Say(string message, string? hint)
    {
        Console.Error.WriteLine($"error: {message}");
        if (hint is not null)
        {
            Console.Error.WriteLine($"HINT: {hint}");
        }

        return UserMistake;
    }
}
