using System.CommandLine;
using Espalier.Experiments;

namespace Espalier.Cli;

/// <summary><c>espalier figure</c>.</summary>
internal static class FigureCommand
{
    public static Verb Create()
    {
        var name = new Argument<string?>("NAME") { Description = "The figure: one of those that --list shows.", Arity = ArgumentArity.ZeroOrOne };
        var overrides = new Argument<string[]>("KEY=VALUE")
        {
            Description = "Values in place of those of the runs' recipe, for example seed=2 or data.path=data/mine; with another --out.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var output = new Option<string>("--out")
        {
            Description = "The folder for the pictures, and for the runs, in `runs`, which all figures with this folder share.",
            HelpName = "DIR",
            DefaultValueFactory = _ => Path.Combine("runs", "figures"),
        };
        var list = new Option<bool>("--list") { Description = "Print the figures there are, and what each shows." };
        var command = new Verb(
            "figure",
            "Draws a figure of a paper anew: trains the small runs that it needs, in minutes on one core, and writes pictures (SVG) and their " +
            "numbers (CSV). Interrupted at any moment, the same command goes on. Needs data/sotu-bytes, which `espalier quickstart` makes.")
        {
            name, overrides, output, list,
        };
        command.Examples =
        [
            "espalier figure --list",
            "espalier figure expansion",
            "espalier figure copies seed=2 --out runs/figures-seed2",
        ];
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(list))
            {
                foreach ((string figure, string shows) in PaperFigures.All)
                {
                    Console.Out.WriteLine($"{figure,-12} {shows}");
                }

                return 0;
            }

            SingleProcess.Require();
            string figureName = parsed.GetValue(name) ?? throw new UserErrorException(
                "espalier figure lacks NAME.", "espalier figure --list shows the figures there are.");
            using var signals = new StopSignals();
            using var line = new TrainingLine();
            if (PaperFigures.Draw(
                figureName, parsed.GetValue(output)!, parsed.GetValue(overrides)!, line.Show, line.End, signals.Token) is not { } files)
            {
                return TrainingLine.SayStopped();
            }

            foreach (string file in files)
            {
                Console.Out.WriteLine(file);
            }

            return 0;
        });
        return command;
    }
}
