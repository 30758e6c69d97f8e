using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Espalier.Cli;

/// <summary>What is read from stdin.</summary>
internal static partial class StandardInput
{
    private const int Shown = 60;

    /// <summary>All of it.</summary>
    /// <exception cref="UserErrorException">It is not UTF-8.</exception>
    public static string Text()
    {
        TellPerson();
        return Utf8(Console.In.ReadToEnd);
    }

    /// <summary>Its lines.</summary>
    /// <exception cref="UserErrorException">It is not UTF-8.</exception>
    public static string[] Lines()
    {
        TellPerson();
        List<string> lines = [];
        while (Utf8(Console.In.ReadLine) is string line)
        {
            lines.Add(line);
        }

        return [.. lines];
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

    /// <summary>A text, or a pair of texts, of each line: a JSON string, or an array of two.</summary>
    /// <exception cref="UserErrorException">A line holds something else; the message names it.</exception>
    public static IEnumerable<(string Text, string? Pair)> JsonTexts()
    {
        TellPerson();
        for (int number = 1; Utf8(Console.In.ReadLine) is string line; number++)
        {
            yield return line.AsSpan().TrimStart() is ['[', ..]
                ? Value<string[]>(line, number, "string or pair of strings") is [string text, string pair] ? (text, pair) : throw Not(line, number, "pair of strings")
                : (Value<string>(line, number, "string"), null);
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
            try
            {
                return JsonSerializer.Deserialize<T>(line) ?? throw new JsonException();
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException && LoneSurrogate().IsMatch(line))
            {
                return JsonSerializer.Deserialize<T>(LoneSurrogate().Replace(line, Replacement))!;
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw Not(line, number, kind, e);
        }
    }

    private static UserErrorException Not(string line, int number, string kind, Exception? inner = null) =>
        new($"stdin:{number} is not a JSON {kind}: {(line.Length > Shown ? line[..Shown] + "..." : line)}", inner: inner);

    /// <summary>
    /// JSON may escape half of a surrogate pair, as JavaScript writes its strings; like there, it becomes U+FFFD as UTF-8.
    /// What else follows a backslash, and whole pairs, are matched first and left as they are.
    /// </summary>
    [GeneratedRegex(@"\\[^u]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})")]
    private static partial Regex LoneSurrogate();

    private static string Replacement(Match match) => match.Groups["lone"].Success ? @"\ufffd" : match.Value;

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

    /// <summary>Tells a person at a terminal that it is read.</summary>
    public static void TellPerson()
    {
        if (!Console.IsInputRedirected)
        {
            Console.Error.WriteLine("Reading from the terminal; Ctrl-D on a new line ends.");
        }
    }
}
