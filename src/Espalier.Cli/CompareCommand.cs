using System.CommandLine;
using System.Globalization;
using Espalier.Reporting;
using Spectre.Console;

namespace Espalier.Cli;

/// <summary><c>espalier compare</c>.</summary>
internal static class CompareCommand
{
    public static Verb Create()
    {
        var runs = new Argument<string[]>("RUN")
        {
            Description = "Run folders that 'espalier train' has written. They may still be going.",
            Arity = ArgumentArity.OneOrMore,
        };
        var baseline = new Option<string?>("--baseline")
        {
            Description = "The run that the others are held against: usually training from scratch. [default: the first RUN]",
            HelpName = "RUN",
        };
        var json = new Option<bool>("--json")
        {
            Description = "Print JSON: for the training and the held-out loss the target, and each run's cost and saving.",
        };
        var output = new Option<string?>("--out")
        {
            Description =
                "Write a report with curves over FLOPs and over time: one HTML file that needs nothing else. With the ending " +
                ".svg: only the held-out loss over FLOPs, as a picture.",
            HelpName = "FILE.html",
        };
        var command = new Verb(
            "compare",
            "Says what runs save: the FLOPs and the time at which each first reaches the loss where the baseline ends.")
        {
            runs, baseline, json, output,
        };
        command.Examples =
        [
            "espalier compare runs/scratch runs/apollo",
            "espalier compare runs/* --baseline runs/scratch --out report.html",
        ];
        command.SetAction(parsed =>
        {
            // A shell completes a folder's name with a slash: it is the same run.
            string[] folders = [.. parsed.GetValue(runs)!.Select(Path.TrimEndingDirectorySeparator)];
            RunComparison comparison = RunComparison.Of(
                RunMetrics.Load(Path.TrimEndingDirectorySeparator(parsed.GetValue(baseline) ?? folders[0])),
                [.. folders.DistinctBy(Path.GetFullPath).Select(RunMetrics.Load)]);
            foreach (string warning in comparison.Warnings())
            {
                Console.Error.WriteLine($"warning: {warning}");
            }

            if (parsed.GetValue(output) is string file)
            {
                Write(file, comparison);
                Console.Error.WriteLine($"The report is in {file}.");
            }

            if (parsed.GetValue(json))
            {
                Console.Out.WriteLine(comparison.ToJson());
            }
            else
            {
                Print(comparison);
            }

            return 0;
        });
        return command;
    }

    private static void Write(string file, RunComparison comparison)
    {
        if (file.EndsWith(".svg", StringComparison.OrdinalIgnoreCase))
        {
            File.WriteAllText(file, LossChart.Svg(comparison, LossKind.Valid, CostAxis.Flops));
        }
        else
        {
            HtmlReport.Write(file, comparison);
        }
    }

    /// <summary>Prints the tables, what their figures mean, and the outcome.</summary>
    public static void Print(RunComparison comparison)
    {
        foreach (LossComparison losses in new[] { comparison.Valid, comparison.Train })
        {
            ComparisonTable figures = ComparisonTable.Of(losses);
            Tables.Print($"{figures.Title}. {figures.Caption}", figures.Columns, figures.Rows);
        }

        Console.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"Saved = 1 - F/B, speed-up = B/F - 1: F is the cost at which a run first reaches the target, B the baseline's whole cost; " +
            $"training losses are means over {comparison.SmoothingSteps:0.#} steps."));
        Console.Out.WriteLine(SavingSentence.Of(comparison));
    }
}
