using System.CommandLine;
using System.Text.RegularExpressions;
using Espalier.Recipes;

namespace Espalier.Cli;

/// <summary>What is wrong with a command line, said as all other mistakes are.</summary>
internal static partial class UsageMistake
{
    /// <summary>The mistake of a command line that could not be understood, with the nearest name where a name is wrong.</summary>
    public static UserErrorException Of(ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        string path = string.Join(' ', Ancestors(parsed).Reverse());
        string help = $"All there is to know: {path} --help";
        if (parsed.UnmatchedTokens is [string unknown, ..])
        {
            bool isOption = unknown.StartsWith('-');
            string[] names = isOption ? OptionNames(parsed) : [.. command.Subcommands.Select(verb => verb.Name)];
            string what = isOption ? $"{path} has no option {unknown}."
                : names.Length > 0 ? $"{path} has no verb '{unknown}'."
                : $"{path} can make nothing of '{unknown}'.";
            string? near = names.Length == 0 ? null : NearestName.Of(unknown, names);
            return new UserErrorException(
                what, near is not null && NearestName.IsClose(unknown, near) ? $"Did you mean {near}? {help}" : help);
        }

        return new UserErrorException(
            string.Join('\n', parsed.Errors.Select(error => TypeName().Replace(error.Message, InWords)).Distinct()), help);
    }

    private static IEnumerable<string> Ancestors(ParseResult parsed)
    {
        for (var result = parsed.CommandResult; result is not null; result = result.Parent as System.CommandLine.Parsing.CommandResult)
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

    [GeneratedRegex(@" as expected type 'System\.(\w+)'\.")]
    private static partial Regex TypeName();
}
