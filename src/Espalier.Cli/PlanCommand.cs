using System.CommandLine;
using Espalier.Planning;
using Espalier.Training;
using Spectre.Console;

namespace Espalier.Cli;

/// <summary><c>espalier plan</c>.</summary>
internal static class PlanCommand
{
    public static Verb Create()
    {
        var recipe = new Argument<string?>("RECIPE")
        {
            Description = "A recipe: what it will cost is told before it runs. With --curve or --law it is the recipe of the final model, " +
                "which --out writes with the growth that is proposed.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var overrides = new Argument<string[]>("KEY=VALUE")
        {
            Description = "Values in place of the recipe's.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var curves = new Option<string[]>("--curve")
        {
            Description = "Plans from the logged curve of a model of a fixed size; once for each, the smallest first. A run folder tells " +
                "its sizes; a CSV of steps and losses, such as TensorBoard exports, has them written after it: base.csv@n_layer=12,n_embd=768, " +
                "or the FLOPs of a step: base.csv@flops=1.2e15.",
            HelpName = "CURVE",
            AllowMultipleArgumentsPerToken = true,
        };
        var output = new Option<string?>("--out")
        {
            Description = "The folder to write: plan.json, plan.svg and, where one can be made, recipe.yaml.",
            HelpName = "DIR",
        };
        var json = new Option<bool>("--json") { Description = "Prints JSON." };
        var kind = new Option<GrowthKind?>("--grow")
        {
            Description = "What grows, where the curves do not tell.",
            HelpName = "depth|width|both",
        };
        var threshold = Number("--threshold", "Grow where d log(loss) / d log(FLOPs) is above this. [default: the published ones: depth -0.0575, width -0.0475, both -0.03]");
        var stop = Number("--stop", "The large model stops where that slope is above this. [default: -0.052]");
        var loss = Number("--loss", "The loss to end at.");
        var budget = Number("--budget", "The FLOPs that training the final model from scratch would have.");
        var column = new Option<string?>("--column")
        {
            Description = "The column of the CSV files, or of the runs, that holds the loss.",
            HelpName = "NAME",
        };
        var command = new Verb(
            "plan",
            "Plans growth before anything is trained: the most that it can save, when to grow, and what a schedule will cost.")
        {
            recipe, overrides, curves, kind, threshold, stop, loss, budget, column, json, output,
        };
        command.Examples =
        [
            "espalier plan recipes/gpt2-base-apollo.yaml model.vocab_size=50257",
            "espalier plan --curve half.csv@n_layer=6,n_embd=768 --curve base.csv@n_layer=12,n_embd=768",
        ];
        command.SetAction(parsed =>
        {
            string? folder = parsed.GetValue(output);
            if (folder is not null)
            {
                PlanReport.RequireRoom(folder);
            }

            Recipe? template = parsed.GetValue(recipe) is string path ? RecipeReader.Read(path, parsed.GetValue(overrides)) : null;
            string[] named = parsed.GetValue(curves) ?? [];
            PlanReport report = named.Length > 0
                ? CurvePlan.Make(new CurvePlanOptions
                {
                    Curves = named,
                    Kind = parsed.GetValue(kind),
                    Threshold = parsed.GetValue(threshold),
                    StopThreshold = parsed.GetValue(stop) ?? new CurvePlanOptions { Curves = [] }.StopThreshold,
                    Loss = parsed.GetValue(loss),
                    Budget = parsed.GetValue(budget),
                    Column = parsed.GetValue(column),
                    Recipe = template,
                })
                : throw new UserErrorException(
                    "espalier plan lacks something to plan from.",
                    "Name a recipe, or curves with --curve, or ask a scaling law with --law; espalier plan --help shows all.");
            Show(report, parsed.GetValue(json), folder);
            return 0;
        });
        return command;

        static Option<double?> Number(string name, string description) => new(name) { Description = description, HelpName = "X" };
    }

    private static void Show(PlanReport report, bool asJson, string? folder)
    {
        IReadOnlyList<string> files = folder is null ? [] : report.Write(folder);
        if (asJson)
        {
            Console.Out.WriteLine(report.ToJson());
        }
        else
        {
            Console.Out.WriteLine(report.Ceiling);
            Console.Out.WriteLine();
            foreach (PlanTable plan in report.Tables)
            {
                Table table = Tables.Of(plan.Columns);
                foreach (IReadOnlyList<string> row in plan.Rows)
                {
                    table.AddRow([.. row.Select(Markup.Escape)]);
                }

                Tables.Print($"{plan.Title}.", table);
            }

            foreach (string note in report.Notes)
            {
                Console.Out.WriteLine(note);
            }
        }

        foreach (string file in files)
        {
            Console.Error.WriteLine($"wrote {file}");
        }

        if (folder is not null && report.Recipe is null)
        {
            Console.Error.WriteLine("note: there is no recipe to write without the RECIPE of the final model and the sizes of all models.");
        }
    }
}
