using Espalier.Cli;

namespace Espalier.Tests.Cli;

/// <summary>Tests that stand in for the console, which a process has only one of: they run alone.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ConsoleCollection
{
    public const string Name = "console";
}

/// <summary>What a command line came to.</summary>
internal sealed record CommandLine(int ExitCode, string Output, string Error)
{
    /// <summary>Runs a command line in this process.</summary>
    public static CommandLine Run(string[] args, string input = "")
    {
        (TextReader input, TextWriter output, TextWriter error) before = (Console.In, Console.Out, Console.Error);
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        try
        {
            Console.SetIn(new StringReader(input));
            Console.SetOut(output);
            Console.SetError(error);
            return new CommandLine(Commands.Run(args), output.ToString(), error.ToString());
        }
        finally
        {
            Console.SetIn(before.input);
            Console.SetOut(before.output);
            Console.SetError(before.error);
        }
    }

    /// <summary>Runs a command line that must succeed, and gives what it printed.</summary>
    public static string Succeed(string[] args, string input = "")
    {
        CommandLine result = Run(args, input);
        Assert.True(result.ExitCode == 0, result.Error);
        return result.Output;
    }

    /// <summary>Runs a command line that must fail: exit code 1, nothing on stdout, one message that says certain things.</summary>
    public static void Fail(string[] args, params string[] says) => FailOn("", args, says);

    /// <summary>The same with something on stdin.</summary>
    public static void FailOn(string input, string[] args, params string[] says)
    {
        CommandLine result = Run(args, input);
        Assert.Equal(1, result.ExitCode);
        Assert.Equal("", result.Output);
        Assert.Single(result.Error.Split('\n'), line => line.StartsWith("error: ", StringComparison.Ordinal));
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
        Assert.All(says, text => Assert.Contains(text, result.Error, StringComparison.Ordinal));
    }
}
