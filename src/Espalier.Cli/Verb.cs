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

/// <summary>The usual help, and the examples of the verb after it.</summary>
internal sealed class HelpWithExamples(HelpAction usual) : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        int result = usual.Invoke(parseResult);
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
