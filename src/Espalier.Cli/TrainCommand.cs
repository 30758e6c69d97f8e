using System.CommandLine;
using Espalier.Training;

namespace Espalier.Cli;

/// <summary><c>espalier train</c>.</summary>
internal static class TrainCommand
{
    public static Verb Create()
    {
        var recipe = new Argument<string>("RECIPE") { Description = "The recipe: a YAML file such as recipes/tiny.yaml." };
        var overrides = new Argument<string[]>("KEY=VALUE")
        {
            Description = "Values in place of the recipe's, for example training.micro_batch=8 or method.stages=[3,6,12].",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var run = new Option<string>("--run")
        {
            Description = "The folder of the run. The same command on an existing run goes on where it was.",
            Required = true,
            HelpName = "DIR",
        };
        var command = new Verb(
            "train",
            "Trains a model by a recipe. Ctrl-C, SIGTERM, SIGHUP and SIGUSR1 save the state and leave; the same command goes on.")
        {
            recipe, overrides, run,
        };
        command.Examples =
        [
            "espalier train recipes/tiny.yaml --run runs/tiny",
            "espalier train recipes/quickstart-apollo.yaml --run runs/small data.path=data/my-text training.length='2e7 tokens'",
        ];
        command.SetAction(parsed =>
        {
            SingleProcess.Require();
            using var signals = new StopSignals();
            Recipe resolved = RecipeReader.Read(parsed.GetValue(recipe)!, parsed.GetValue(overrides));
            using var line = new TrainingLine();
            RunResult result = TrainingRun.Run(
                resolved, parsed.GetValue(run)!, progress => line.Show(resolved, progress), signals.Token);
            line.End(result);
            return result.IsFinished ? 0 : TrainingLine.SayStopped();
        });
        return command;
    }
}
