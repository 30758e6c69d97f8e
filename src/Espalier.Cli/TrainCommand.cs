using System.CommandLine;
using System.CommandLine.Completions;
using Espalier.Distributed;
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
        overrides.CompletionSources.Add(_ => RecipeKeys.All.Select(key => new CompletionItem($"{key.Key}=")).DistinctBy(item => item.Label));
        var run = new Option<string>("--run")
        {
            Description = "The folder of the run. The same command on an existing run goes on where it was.",
            Required = true,
            HelpName = "DIR",
        };
        var from = new Option<string?>("--from")
        {
            Description = "Begins a new run with the state of another at a checkpoint: its weights, optimizer, position and curve. " +
                "The recipe may differ in what has no say before that step, such as the length of the run and the decay of a wsd rate; " +
                "the run then ends as if it had begun at step 0. RUN alone is its latest checkpoint.",
            HelpName = "RUN@STEP",
        };
        var prolong = new Option<bool>("--prolong")
        {
            Description = "Goes on with the run of --run by this recipe in place of its own, from its last checkpoint: with a longer training.length, " +
                "or another learning_rate. Give runs/NAME/recipe.yaml and the keys to change. The same command then resumes.",
        };
        var dryRun = new Option<bool>("--dry-run")
        {
            Description = "Checks all that is checked before the first update, memory and disk too, and tells what the run would do; trains and writes nothing.",
        };
        var json = new Option<bool>("--json")
        {
            Description = "Prints every row of metrics to stdout as a JSON object on a line, by the names of the columns of metrics.csv.",
        };
        var rankTimeout = new Option<int>("--rank-timeout")
        {
            Description = "With several ranks: how long one of them may not answer before the run ends.",
            HelpName = "SECONDS",
            DefaultValueFactory = _ => (int)Ranks.DefaultTimeout.TotalSeconds,
        };
        rankTimeout.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > 86_400)
            {
                result.AddError("--rank-timeout is a number of seconds from 1 to 86400.");
            }
        });
        var command = new Verb(
            "train",
            "Trains a model by a recipe. Ctrl-C, SIGTERM, SIGHUP and SIGUSR1 save the state and leave; the same command goes on.")
        {
            recipe, overrides, run, from, prolong, dryRun, json, rankTimeout,
        };
        command.Examples =
        [
            "espalier train recipes/tiny.yaml --run runs/tiny",
            "espalier train recipes/gpt2-mini-apollo.yaml --run runs/small data.path=data/my-text training.length='2e7 tokens'",
            "espalier train runs/trunk/recipe.yaml --run runs/trunk-3600 --from runs/trunk@3000 training.length='3600 steps' learning_rate.decay='600 steps'",
            "espalier train runs/tiny/recipe.yaml --run runs/tiny --prolong training.length='400 steps'",
        ];
        command.SetAction(parsed =>
        {
            using var signals = new StopSignals();
            using var ranks = Ranks.Join(LaunchedRank.OfThisProcess(), TimeSpan.FromSeconds(parsed.GetValue(rankTimeout)));
            return ranks.Guard(() => Train(parsed, ranks, signals));
        });
        return command;

        int Train(ParseResult parsed, Ranks ranks, StopSignals signals)
        {
            Recipe resolved = RecipeReader.Read(parsed.GetValue(recipe)!, parsed.GetValue(overrides));
            string folder = parsed.GetValue(run)!;
            using var line = new TrainingLine();
            var options = new RunOptions { From = parsed.GetValue(from), Prolong = parsed.GetValue(prolong), ChooseThreads = ranks.Size == 1, Ranks = ranks };
            if (!ranks.IsFirst)
            {
                return Follow(resolved, folder, options, parsed.GetValue(dryRun), signals.Token);
            }

            options = options with { Warn = line.Warn, Begins = RunSummary.SayBeginning };
            if (LaunchedRank.DoubtOf(Environment.GetEnvironmentVariable) is string doubt)
            {
                line.Warn(doubt);
            }

            if (parsed.GetValue(dryRun))
            {
                RunSummary.SayBeginning(TrainingRun.Check(resolved, folder, options));
                Console.Error.WriteLine("All is well, and nothing was written: leave --dry-run out to train.");
                return 0;
            }

            bool printsRows = parsed.GetValue(json);
            RunResult result = TrainingRun.Run(resolved, folder, Tell, signals.Token, options);
            line.End(result);
            if (!result.IsFinished)
            {
                return TrainingLine.SayStopped();
            }

            RunSummary.SayEnd(resolved, result);
            return 0;

            void Tell(TrainingProgress progress)
            {
                line.Show(resolved, progress);
                if (printsRows && progress.Row is MetricsRow row)
                {
                    Console.Out.WriteLine(row.ToJson());
                    Console.Out.Flush();
                }
            }
        }
    }

    /// <summary>What a rank does that is not the first: the same, without a word.</summary>
    private static int Follow(Recipe recipe, string folder, RunOptions options, bool isDryRun, CancellationToken stop)
    {
        if (isDryRun)
        {
            _ = TrainingRun.Check(recipe, folder, options);
            return 0;
        }

        return TrainingRun.Run(recipe, folder, stop: stop, options: options).IsFinished ? 0 : Failures.Interrupted;
    }
}
