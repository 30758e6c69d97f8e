using Espalier.Torch;

namespace Espalier.Cli;

/// <summary>What a person sees when something goes wrong.</summary>
internal static class Failures
{
    /// <summary>The exit code after Ctrl-C: 128 and the signal's number.</summary>
    public const int Interrupted = 130;

    private const int UserMistake = 1;

    /// <summary>Runs a command; a mistake of the user becomes one message on stderr and exit code 1.</summary>
    public static int Guard(Func<int> command)
    {
        try
        {
            return command();
        }
        catch (UserErrorException exception)
        {
            return Say(exception.Message, exception.Hint);
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
