using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using System.Text.RegularExpressions;
using Espalier.Configuration;

namespace Espalier.Cli;

/// <summary>What is wrong with a command line, said as all other mistakes are.</summary>
internal static partial class UsageMistake
{
    /// <summary>
    /// The mistake of a command line, with the nearest name where a name is wrong; null where there is none.
    /// </summary>
    public static UserErrorException? In(ParseResult parsed)
    {
        string path = string.Join(' ', Ancestors(parsed).Reverse());
        string help = $"All there is to know: {path} --help";
        if (parsed.Action is ParseErrorAction && parsed.UnmatchedTokens is [string unmatched, ..])
        {
            return unmatched.StartsWith('-')
                ? Unknown("option", unmatched, OptionNames(parsed))
                : Unknown("verb", unmatched, [.. parsed.CommandResult.Command.Subcommands.Select(verb => verb.Name)]);
        }

        if (parsed.Action is not HelpWithExamples && UnknownMember(parsed) is string unknown)
        {
            return new UserErrorException(unknown, help);
        }

        if (parsed.Action is not HelpWithExamples && EmptyValue(parsed) is string empty)
        {
            return new UserErrorException(empty, help);
        }

        if (parsed.Action is not HelpWithExamples && MisspeltOption(parsed) is string option)
        {
            return Unknown("option", option, OptionNames(parsed));
        }

        return parsed.Action is ParseErrorAction
            ? new UserErrorException(
                string.Join('\n', parsed.Errors.Select(error => TypeName().Replace(error.Message, InWords)).Distinct()), help)
            : null;

        UserErrorException Unknown(string kind, string name, string[] known)
        {
            string? near = known.Length == 0 ? null : NearestName.Of(name, known);
            return new UserErrorException(
                known.Length > 0 ? $"{path} has no {kind} '{name}'." : $"{path} can make nothing of '{name}'.",
                near is not null && NearestName.IsClose(name, near) ? $"Did you mean {near}? {help}" : help);
        }
    }

    /// <summary>
    /// The first value that is none of those an option has. The parser would name the .NET type, and take numbers.
    /// </summary>
    private static string? UnknownMember(ParseResult parsed)
    {
        foreach (OptionResult result in parsed.CommandResult.Children.OfType<OptionResult>())
        {
            Type type = Nullable.GetUnderlyingType(result.Option.ValueType) ?? result.Option.ValueType;
            string[] members = type.IsEnum ? [.. Enum.GetNames(type).Select(name => name.ToLowerInvariant())] : [];
            if (type.IsEnum && result.Tokens.FirstOrDefault(
                token => !members.Contains(token.Value, StringComparer.OrdinalIgnoreCase)) is Token token)
            {
                return $"`{result.Option.Name} {token.Value}` is none of {string.Join(", ", members)}.";
            }
        }

        return null;
    }

    /// <summary>
    /// The first value that is empty, as an unset variable of a script leaves it, where anything but a text to work on is
    /// wanted.
    /// </summary>
    private static string? EmptyValue(ParseResult parsed)
    {
        foreach (SymbolResult result in parsed.CommandResult.Children)
        {
            (string? name, string? wanted) = result switch
            {
                OptionResult option => ($"{option.Option.Name} ''", option.Option.HelpName),
                ArgumentResult argument => ($"{argument.Argument.Name}", argument.Argument.Name),
                _ => (null, null),
            };
            if (name is not null && wanted != "TEXT" && result.Tokens.Any(token => token.Value.Length == 0))
            {
                return $"`{name}` is empty.";
            }
        }

        return null;
    }

    /// <summary>
    /// The parser takes an option that it does not know for an argument, where arguments may stand: so the first argument
    /// that looks like an option, unless it follows a <c>--</c>.
    /// </summary>
    private static string? MisspeltOption(ParseResult parsed)
    {
        int meant = parsed.Tokens.SkipWhile(token => token.Type != TokenType.DoubleDash).Count(token => token.Type == TokenType.Argument);
        return parsed.CommandResult.Children.OfType<ArgumentResult>().SelectMany(argument => argument.Tokens)
            .SkipLast(meant).Select(token => token.Value).FirstOrDefault(LooksLikeOption().IsMatch);
    }

    private static IEnumerable<string> Ancestors(ParseResult parsed)
    {
        for (var result = parsed.CommandResult; result is not null; result = result.Parent as CommandResult)
        {
            yield return result.Command.Name;
        }
    }

    private static string[] OptionNames(ParseResult parsed) =>
    [
        .. parsed.CommandResult.Command.Options.Concat(parsed.RootCommandResult.Command.Options.Where(option => option.Recursive))
            .Select(option => option.Name),
    ];

    /// <summary>The parser names the .NET type that it wanted; a person wants a word.</summary>
    private static string InWords(Match type) => type.Groups[1].Value switch
    {
        "Double" or "Single" => ": a number is wanted.",
        "Int32" or "Int64" => ": a whole number is wanted.",
        "UInt32" or "UInt64" => ": a whole number, 0 or more, is wanted.",
        _ => type.Value,
    };

    [GeneratedRegex("^--?[A-Za-z]")]
    private static partial Regex LooksLikeOption();

    [GeneratedRegex(@" as expected type '(?:System\.Nullable`1\[)?System\.(\w+)\]?'\.")]
    private static partial Regex TypeName();
}
