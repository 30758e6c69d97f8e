using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Espalier.Cli;

/// <summary>A verb whose help ends with examples.</summary>
internal class Verb(string name, string description) : Command(name, description)
{
    /// <summary>Command lines that work as they stand.</summary>
    public IReadOnlyList<string> Examples { get; set; } = [];
}

/// <summary>A verb that only holds others; by itself it prints its help.</summary>
internal sealed class VerbGroup : Verb
{
    public VerbGroup(string name, string description)
        : base(name, description) =>
        SetAction(parsed => parsed.RootCommandResult.Command.Options.OfType<HelpOption>().Single().Action switch
        {
            SynchronousCommandLineAction help => help.Invoke(parsed),
            _ => 0,
        });
}

/// <summary>The usual help, and after it the examples of the verb, or the exit codes of all.</summary>
internal sealed class HelpWithExamples(HelpAction usual) : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        int result = usual.Invoke(parseResult);
        if (parseResult.CommandResult.Parent is null)
        {
            parseResult.InvocationConfiguration.Output.WriteLine(
                $"""
                Exit codes:
                  0    done
                  1    a mistake in what was asked, told in one message with its remedy; of experiment also where a run failed
                  {Failures.OwnMistake}   a mistake of Espalier's own, with the trace in a file that the message names
                  {Failures.Interrupted}  a signal to stop, the state saved

                """);
        }

        if (parseResult.CommandResult.Command is Verb { Examples: { Count: > 0 } examples })
        {
            TextWriter output = parseResult.InvocationConfiguration.Output;
            output.WriteLine(examples.Count == 1 ? "Example:" : "Examples:");
            foreach (string example in examples)
            {
                output.WriteLine($"  {example}");
            }

            output.WriteLine();
        }

        return result;
    }
}
