using System.CommandLine;
using System.CommandLine.Help;

namespace Espalier.Cli;

/// <summary>All verbs, and how a command line is run.</summary>
internal static class Commands
{
    /// <summary>A text to encode may begin with @.</summary>
    public static ParserConfiguration NoResponseFiles { get; } = new() { ResponseFileTokenReplacer = null };

    /// <summary>The tree of verbs.</summary>
    public static Command Root()
    {
        var help = new HelpOption();
        help.Action = new HelpWithExamples((HelpAction)help.Action!);
        return new VerbGroup(
            "espalier",
            "Espalier trains transformer language models progressively: a run starts shallow and grows while it trains, to " +
            "reach the loss of training from scratch for less compute.")
        {
            help,
            new VersionOption(),
            QuickstartCommand.Create(),
            DataCommand.Create(),
            TokenizerCommand.Create(),
            RecipeCommand.Create(),
            TrainCommand.Create(),
            LaunchCommand.Create(),
            EvalCommand.Create(),
            FinetuneCommand.Create(),
            PredictCommand.Create(),
            GenerateCommand.Create(),
            FillMaskCommand.Create(),
            LogitsCommand.Create(),
            ImportCommand.Create(),
            ExportCommand.Create(),
            GrowCommand.Create(),
            PlanCommand.Create(),
            RunsCommand.Create(),
            RunsCommand.CreateWatch(),
            CompareCommand.Create(),
            ExperimentCommand.Create(),
            FigureCommand.Create(),
            VerifyCommand.Create(),
            InfoCommand.Create(),
            SelfTestCommand.Create(),
            CompletionCommand.Create(),
        };
    }

    /// <summary>Runs a command line: results go to stdout, all else to stderr.</summary>
    /// <returns>The exit code: 0, 1 after a mistake of the user, 70 after one of Espalier's own, 130 after a signal to stop.</returns>
    public static int Run(IReadOnlyList<string> args) => Failures.Guard(args, () =>
    {
        ParseResult parsed = Root().Parse(args, NoResponseFiles);
        return UsageMistake.In(parsed) is UserErrorException mistake
            ? throw mistake
            : parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
    });
}
