using System.Text;
using System.Text.Json;

namespace Espalier.Cli;

/// <summary>What is read from stdin.</summary>
internal static class StandardInput
{
    private const int Shown = 60;

    /// <summary>All of it.</summary>
    /// <exception cref="UserErrorException">It is not UTF-8.</exception>
    public static string Text()
    {
        TellPerson();
        return Utf8(Console.In.ReadToEnd);
    }

    /// <summary>A JSON value of each line.</summary>
    /// <param name="kind">What the lines hold, for the message when one does not.</param>
    /// <exception cref="UserErrorException">A line holds something else; the message names it.</exception>
    public static IEnumerable<T> JsonLines<T>(string kind)
        where T : class
    {
        TellPerson();
        for (int number = 1; Utf8(Console.In.ReadLine) is string line; number++)
        {
            yield return Value<T>(line, number, kind);
        }
    }

    /// <summary>Refuses arguments beside an option that reads stdin.</summary>
    public static void RequireAlone<T>(T[] arguments, string option)
    {
        if (arguments.Length > 0)
        {
            throw new UserErrorException($"{option} reads stdin: there is no place for '{arguments[0]}' beside it.");
        }
    }

    private static T Value<T>(string line, int number, string kind)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize<T>(line) ?? throw new JsonException();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new UserErrorException(
                $"stdin:{number} is not a JSON {kind}: {(line.Length > Shown ? line[..Shown] + "..." : line)}", inner: e);
        }
    }

    private static T Utf8<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (DecoderFallbackException e)
        {
            throw new UserErrorException(
                "stdin is not UTF-8.", "Convert it first, for example: iconv -f ISO-8859-1 -t UTF-8", e);
        }
    }

    private static void TellPerson()
    {
        if (!Console.IsInputRedirected)
        {
            Console.Error.WriteLine("Reading from the terminal; Ctrl-D on a new line ends.");
        }
    }
}
