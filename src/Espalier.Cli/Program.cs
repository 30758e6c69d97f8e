using System.CommandLine;
using Espalier.Cli;

var root = new RootCommand(
    "Espalier trains transformer language models progressively: a run starts shallow and grows while it trains, to " +
    "reach the loss of training from scratch for less compute.")
{
    TrainCommand.Create(),
    EvalCommand.Create(),
    GenerateCommand.Create(),
};

return Failures.Guard(() => root.Parse(args).Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false }));
