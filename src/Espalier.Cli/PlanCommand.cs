using System.CommandLine;
using System.Globalization;
using Espalier.Configuration;
using Espalier.Planning;
using Espalier.Reporting;
using Espalier.Training;

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
        var law = new Option<bool>("--law")
        {
            Description = "Plans by a scaling law, without any curve, to --size, --loss or --budget, or to what the RECIPE says.",
        };
        var size = Number("--size", "With --law: the parameters of the final model's layers.");
        var stages = new Option<int>("--stages")
        {
            Description = "With --law: the most stages, 1 to 12.",
            HelpName = "K",
            DefaultValueFactory = _ => new LawPlanOptions().Stages,
        };
        var follows = new Option<bool>("--batch-follows")
        {
            Description = "With --law: each stage has the batch that suits its own loss; else all have that of the last.",
        };
        var constants = new Option<string?>("--constants")
        {
            Description = "Other constants of the scaling law than Kaplan's: nc, an, sc, as, b, ab.",
            HelpName = "nc=8.8e13,...",
        };
        var factor = new Option<double>("--stack-factor")
        {
            Description = "With --law: how much larger a stacked model is, for G_stack's law.",
            HelpName = "X",
            DefaultValueFactory = _ => new LawPlanOptions().StackFactor,
        };
        var rankMemory = Number("--rank-memory", "Also tells how the stages lie on ranks with so many bytes, such as 80e9, by formulas.");
        var ranks = new Option<int?>("--ranks")
        {
            Description = $"With a RECIPE alone: what each of so many ranks holds, sends and computes, 1 to {RecipePlanOptions.MostRanks}; " +
                "with --speed or --measure, how well they work and how long the run takes.",
            HelpName = "N",
        };
        ranks.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int?>() is < 1 or > RecipePlanOptions.MostRanks)
            {
                result.AddError($"--ranks is a number from 1 to {RecipePlanOptions.MostRanks}.");
            }
        });
        var network = new Option<string>("--network")
        {
            Description = $"With --ranks: what lies between them, the slowest where there are several kinds: {RecipePlanOptions.Networks}; " +
                "or its rate and latency.",
            HelpName = "NAME|25Gbit/s,50us",
            DefaultValueFactory = _ => new RecipePlanOptions().Network,
        };
        var speed = Number("--speed", "With --ranks: the FLOPs a second that each reaches while it trains, such as 200e12.");
        var sequence = new Option<int>("--sequence")
        {
            Description = "With --law and --rank-memory: tokens of a sequence.",
            HelpName = "N",
            DefaultValueFactory = _ => new LawPlanOptions().Sequence,
        };
        var pilot = new Option<bool>("--pilot")
        {
            Description = "Runs two short runs of the RECIPE in --out, one of the final model and one that grows at the end of the warm-up, " +
                "and proposes how late to grow. Interrupted, the same command goes on.",
        };
        var pilotLength = new Option<string>("--pilot-length")
        {
            Description = "How long each of these is: '20 %' of the recipe, '500 steps' or '1e7 tokens'.",
            HelpName = "LENGTH",
            DefaultValueFactory = _ => new PilotOptions().Length.ToString(),
        };
        var tolerance = new Option<double>("--tolerance")
        {
            Description = "The grown run has caught up once its loss is this share above the other's, or less.",
            HelpName = "X",
            DefaultValueFactory = _ => new PilotOptions().Tolerance,
        };
        var measure = new Option<bool>("--measure")
        {
            Description = "With a RECIPE alone: measures some updates of each stage here, on random tokens, and tells the time.",
        };
        var command = new Verb(
            "plan",
            "Plans growth before anything is trained: the most that it can save, when to grow, and what a schedule will cost.")
        {
            recipe, overrides, curves, kind, threshold, stop, column, law, size, loss, budget, stages, follows, constants, factor, rankMemory,
            ranks, network, speed, sequence, pilot, pilotLength, tolerance, measure, json, output,
        };
        command.Examples =
        [
            "espalier plan recipes/gpt2-base-apollo.yaml model.vocab_size=50257",
            "espalier plan recipes/gpt2-base-apollo.yaml model.vocab_size=50257 --ranks 8 --network ethernet-100 --speed 100e12",
            "espalier plan --law --size 1.5e9 --rank-memory 80e9",
            "espalier plan --pilot recipes/tiny.yaml --out plans/tiny",
            "espalier plan --curve half.csv@n_layer=6,n_embd=768 --curve base.csv@n_layer=12,n_embd=768",
        ];
        command.SetAction(parsed =>
        {
            string? folder = parsed.GetValue(output);
            if (folder is not null)
            {
                PlanReport.RequireRoom(folder);
            }

            string[] named = parsed.GetValue(curves) ?? [];
            Recipe? given = parsed.GetValue(recipe) is string path ? RecipeReader.Read(path, parsed.GetValue(overrides)) : null;
            bool byLaw = parsed.GetValue(law), byPilot = parsed.GetValue(pilot);
            if ((named.Length > 0 ? 1 : 0) + (byLaw ? 1 : 0) + (byPilot ? 1 : 0) > 1)
            {
                throw new UserErrorException("--curve, --law and --pilot are three ways to plan.", "Take one of them at a time.");
            }

            int? onRanks = parsed.GetValue(ranks);
            double? stated = parsed.GetValue(speed);
            if (onRanks is not null && (named.Length > 0 || byLaw || byPilot))
            {
                throw new UserErrorException("--ranks plans for a RECIPE alone.", "Leave --curve, --law and --pilot out.");
            }

            if (stated is not null && (onRanks is null || parsed.GetValue(measure)))
            {
                throw new UserErrorException("--speed states what --ranks needs to know.", "Give --ranks with it, and leave --measure out.");
            }

            if (stated is <= 0)
            {
                throw new UserErrorException(
                    string.Create(CultureInfo.InvariantCulture, $"--speed {stated} is no speed."), "It is FLOPs a second, such as 200e12.");
            }

            PlanReport? report = named.Length > 0 ? CurvePlan.Make(new CurvePlanOptions
            {
                Curves = named,
                Kind = parsed.GetValue(kind),
                Threshold = parsed.GetValue(threshold),
                StopThreshold = parsed.GetValue(stop) ?? new CurvePlanOptions { Curves = [] }.StopThreshold,
                Loss = parsed.GetValue(loss),
                Budget = parsed.GetValue(budget),
                Column = parsed.GetValue(column),
                Recipe = given,
            })
            : byLaw ? LawPlan.Make(new LawPlanOptions
            {
                Size = parsed.GetValue(size),
                Loss = parsed.GetValue(loss),
                Budget = parsed.GetValue(budget),
                Stages = parsed.GetValue(stages),
                BatchFollows = parsed.GetValue(follows),
                Constants = parsed.GetValue(constants),
                StackFactor = parsed.GetValue(factor),
                RankMemory = parsed.GetValue(rankMemory),
                Sequence = parsed.GetValue(sequence),
                Recipe = given,
            })
            : given is null ? throw new UserErrorException(
                byPilot ? "espalier plan --pilot lacks the RECIPE." : "espalier plan lacks something to plan from.",
                "Name a recipe, or curves with --curve, or ask a scaling law with --law; espalier plan --help shows all.")
            : byPilot ? Pilot(given, folder, new PilotOptions
            {
                Length = Length(parsed, pilotLength),
                Tolerance = parsed.GetValue(tolerance),
            })
            : Recipe(given, new RecipePlanOptions
            {
                Measure = parsed.GetValue(measure),
                RankMemory = parsed.GetValue(rankMemory),
                Ranks = onRanks,
                Network = parsed.GetValue(network)!,
                Speed = stated,
                Constants = parsed.GetValue(constants),
            });
            if (report is null)
            {
                return TrainingLine.SayStopped();
            }

            Show(report, parsed.GetValue(json), folder);
            return 0;
        });
        return command;

        static Duration Length(ParseResult parsed, Option<string> option) =>
            Duration.TryParse(parsed.GetValue(option)!, out Duration length, out string? problem) ? length : throw new UserErrorException(
                $"{option.Name}: `{parsed.GetValue(option)}` is not a duration: {problem}.", Duration.Expected);

        static Option<double?> Number(string name, string description) => new(name) { Description = description, HelpName = "X" };
    }

    private static PlanReport Recipe(Recipe recipe, RecipePlanOptions options)
    {
        using var signals = new StopSignals();
        return RecipePlan.Make(recipe, options, signals.Token);
    }

    /// <summary>Runs a pilot; null where a signal stopped it.</summary>
    private static PlanReport? Pilot(Recipe recipe, string? folder, PilotOptions options)
    {
        SingleProcess.Require();
        var pilot = new PilotPlan(
            recipe,
            folder ?? throw new UserErrorException("espalier plan --pilot lacks --out DIR.", "Name the folder for its two runs and the plan."),
            options);
        using var signals = new StopSignals();
        using (var line = new TrainingLine())
        {
            if (!pilot.Run(line.Show, line.End, signals.Token))
            {
                return null;
            }
        }

        return pilot.Make();
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
            foreach (TextTable plan in report.Tables)
            {
                Tables.Print(plan);
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

        if (folder is not null && report is { Recipe: null })
        {
            Console.Error.WriteLine("note: there is no recipe to write without the RECIPE of the final model and the sizes of all models.");
        }
    }
}
