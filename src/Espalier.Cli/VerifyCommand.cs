using System.CommandLine;
using Espalier.Training;

namespace Espalier.Cli;

/// <summary><c>espalier verify</c>.</summary>
internal static class VerifyCommand
{
    public static Verb Create()
    {
        var paths = new Argument<string[]>("PATH")
        {
            Description = "Runs (then all their checkpoints), checkpoints, or prepared datasets.",
            Arity = ArgumentArity.OneOrMore,
        };
        var command = new Verb("verify", "Holds every file of a run, a checkpoint or a dataset to the checksum it was written with.")
        {
            paths,
        };
        command.Examples = ["espalier verify runs/mine", "espalier verify runs/mine/checkpoints/step-00001000 data/mine"];
        command.SetAction(parsed =>
        {
            IReadOnlyList<Verification> all = [.. parsed.GetValue(paths)!.SelectMany(Verification.Of)];
            foreach (Verification one in all)
            {
                Console.Out.WriteLine($"{one.Path}: {one.Verdict}");
            }

            Verification[] damaged = [.. all.Where(one => one.IsDamaged)];
            return damaged.Length == 0 ? 0 : throw new UserErrorException(
                damaged.Length == 1 ? $"{damaged[0].Path} is damaged." : $"{damaged.Length} of {all.Count} are damaged.",
                "Restore what is damaged from a copy; a run goes on from an earlier checkpoint, whose name checkpoints/latest must then hold.");
        });
        return command;
    }
}
