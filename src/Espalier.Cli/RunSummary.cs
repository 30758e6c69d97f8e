using System.Globalization;
using Espalier.Models;
using Espalier.Training;

namespace Espalier.Cli;

/// <summary>What a run says on stderr as it begins and as it ends: sentences on a terminal, in a log one line of <c>key=value</c> each.</summary>
internal static class RunSummary
{
    /// <summary>Tells what a run is about to do.</summary>
    public static void SayBeginning(RunOutline run)
    {
        if (Console.IsErrorRedirected)
        {
            Console.Error.WriteLine($"run: {run}");
            return;
        }

        foreach (string line in run.Sentences)
        {
            Console.Error.WriteLine(line);
        }
    }

    /// <summary>Tells how a run ended, and what can be done with it.</summary>
    public static void SayEnd(Recipe recipe, RunResult result)
    {
        if (result.End != RunEnd.Reached)
        {
            return;
        }

        string checkpoint = RunDirectory.LatestCheckpointOf(result.Folder)!;
        if (Console.IsErrorRedirected)
        {
            Console.Error.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"end: step={result.TotalSteps} loss={result.Loss:F4} valid_loss={result.ValidLoss:F4} checkpoint={checkpoint}"));
            return;
        }

        Console.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{result.Folder} is finished: loss {result.Loss:F3}, held-out loss {result.ValidLoss:F3}. The model is {checkpoint}."));
        Console.Error.WriteLine($"  espalier eval {result.Folder} --data TEXT");
        if (recipe.Model is not BertConfig)
        {
            Console.Error.WriteLine($"  espalier generate {result.Folder} --prompt TEXT");
        }

        Console.Error.WriteLine($"  espalier compare OTHER-RUN {result.Folder}");
    }
}
