using System.CommandLine;
using System.CommandLine.Completions;

namespace Espalier.Cli;

/// <summary><c>espalier completion</c>: what a shell asks when a person presses Tab.</summary>
internal static class CompletionCommand
{
    private static readonly Dictionary<string, string> Scripts = new()
    {
        ["bash"] =
            """
            _espalier() {
                local IFS=$'\n'
                COMPREPLY=($("${COMP_WORDS[0]}" completion --complete "$COMP_LINE" --position "$COMP_POINT" 2>/dev/null))
                [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace
            }
            complete -o default -F _espalier espalier ./espalier

            """,
        ["zsh"] =
            """
            _espalier() {
                local -a found
                found=("${(@f)$(${words[1]} completion --complete "$BUFFER" --position $CURSOR 2>/dev/null)}")
                if [[ -n $found ]]; then compadd -Q -S '' -- $found; else _files; fi
            }
            compdef _espalier espalier

            """,
        ["fish"] =
            """
            complete -c espalier -a '(espalier completion --complete (commandline -cp) --position (commandline -C) 2>/dev/null)'

            """,
    };

    public static Verb Create()
    {
        var shell = new Argument<string?>("SHELL") { Description = "bash, zsh or fish.", Arity = ArgumentArity.ZeroOrOne };
        shell.CompletionSources.Add([.. Scripts.Keys]);
        var line = new Option<string?>("--complete") { Description = "A command line, to be completed.", HelpName = "LINE" };
        var position = new Option<int?>("--position") { Description = "Where in it the cursor is.", HelpName = "N" };
        var command = new Verb("completion", "Prints a script by which a shell completes verbs, options and the keys of recipes.")
        {
            shell, line, position,
        };
        command.Examples = ["espalier completion bash > ~/.local/share/bash-completion/completions/espalier", "espalier completion fish > ~/.config/fish/completions/espalier.fish"];
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(line) is string text)
            {
                foreach (string completion in Completions(text, parsed.GetValue(position) ?? text.Length))
                {
                    Console.Out.WriteLine(completion);
                }

                return 0;
            }

            Console.Out.Write(Scripts.TryGetValue(parsed.GetValue(shell) ?? "", out string? script)
                ? script
                : throw new UserErrorException("Name a shell: bash, zsh or fish."));
            return 0;
        });
        return command;
    }

    /// <summary>What may stand where the cursor is.</summary>
    private static IEnumerable<string> Completions(string line, int position)
    {
        string before = line[..Math.Clamp(position, 0, line.Length)].TrimStart();
        int name = before.IndexOf(' ', StringComparison.Ordinal);
        string arguments = name < 0 ? "" : before[(name + 1)..];
        return Commands.Root().Parse(arguments, Commands.NoResponseFiles).GetCompletions(arguments.Length)
            .Select((CompletionItem item) => item.InsertText ?? item.Label)
            .Where(text => text.StartsWith(arguments[(arguments.LastIndexOf(' ') + 1)..], StringComparison.Ordinal))
            .Distinct().Order(StringComparer.Ordinal);
    }
}
