using System.CommandLine;
using System.CommandLine.Parsing;
using Espalier.Torch;

namespace Espalier.Bench.Step;

/// <summary>The command line: four measurements with the same options.</summary>
internal static class StepCommand
{
    public static RootCommand Create()
    {
        var settings = new Option<StepSetting[]>("--settings")
        {
            Description = "What to train, each layers,width,heads,context,batch,vocabulary; llama,layers,... for a Llama, without PyTorch's side.",
            AllowMultipleArgumentsPerToken = true,
            CustomParser = Settings,
        };
        var device = new Option<string>("--device") { Description = "cpu, cuda or cuda:N.", DefaultValueFactory = _ => "cpu" };
        var precision = new Option<string>("--precision") { Description = "bf16 or f32.", DefaultValueFactory = _ => "bf16" };
        precision.AcceptOnlyFromAmong("bf16", "f32");
        Option<int> rounds = AtLeastOne(new("--rounds") { Description = "How often the sides take turns.", DefaultValueFactory = _ => 7 });
        Option<int> threads = AtLeastOne(new("--threads") { Description = "Threads of either side.", DefaultValueFactory = _ => Engine.DefaultThreads });
        var turn = new Option<double>("--turn") { Description = "Seconds of a turn, about.", DefaultValueFactory = _ => 1 };
        var python = new Option<string?>("--python") { Description = "The python3 that has PyTorch; \"none\" measures Espalier alone. Default: the first of python3 on the PATH and /usr/bin/python3 that has it." };
        var perLayer = new Option<bool>("--per-layer") { Description = "Time per executed layer: few stored layers run often, against as many stored layers." };
        var memory = new Option<bool>("--memory") { Description = "Resident memory over 1000 steps." };
        var ranks = new Option<int?>("--ranks") { Description = "So many ranks of one thread each against one process of as many threads, on the processor." };
        ranks.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && result.GetValueOrDefault<int?>() is not > 1)
            {
                result.AddError("--ranks: at least 2");
            }
        });
        var sharded = new Option<bool>(RankSide.Sharded) { Description = "With --ranks: each rank keeps its share of the optimizer (ZeRO-1)." };
        var json = new Option<FileInfo?>("--json") { Description = "Also write the figures here, as JSON." };
        var output = new Option<FileInfo?>("--out") { Description = "Also write the results here, as Markdown (bench/results/YYYY-MM-DD-NAME.md)." };
        var command = new RootCommand("Times the training step of Espalier, and that of tuned PyTorch in turn with it.")
        {
            settings, device, precision, rounds, threads, turn, python, perLayer, memory, ranks, sharded, json, output,
        };
        command.SetAction(parsed =>
        {
            Engine.Threads = parsed.GetValue(ranks) ?? parsed.GetValue(threads);
            bool comparesOnlyItself = parsed.GetValue(perLayer) || parsed.GetValue(memory) || parsed.GetValue(ranks) is not null;
            var options = new StepOptions(
                parsed.GetValue(settings) is { Length: > 0 } given ? given : parsed.GetValue(memory) ? [StepSetting.Small] : StepSetting.Standard,
                Device.Parse(parsed.GetValue(device)!),
                parsed.GetValue(precision) == "bf16",
                parsed.GetValue(rounds),
                parsed.GetValue(turn),
                comparesOnlyItself ? null : PyTorchStep.FindPython(parsed.GetValue(python)))
            {
                ShardsOptimizer = parsed.GetValue(sharded),
            };
            IEnumerable<IResult> results =
                parsed.GetValue(perLayer) ? PerLayer.Measure(options)
                : parsed.GetValue(memory) ? Memory.Measure(options)
                : parsed.GetValue(ranks) is int size ? RankComparison.Measure(options, size)
                : Comparison.Measure(options);
            return Report.Write(options, results, parsed.GetValue(json)?.FullName, parsed.GetValue(output)?.FullName);
        });
        command.Add(Rank());
        return command;
    }

    /// <summary>What this program is as a rank of <see cref="RankSide"/>.</summary>
    private static Command Rank()
    {
        var setting = new Argument<string>("setting");
        var precision = new Argument<string>("precision");
        var sharded = new Option<bool>(RankSide.Sharded);
        var rank = new Command(RankSide.Verb, "A rank of --ranks.") { setting, precision, sharded };
        rank.Hidden = true;
        rank.SetAction(parsed => RankSide.Obey(StepSetting.Parse(parsed.GetValue(setting)!), parsed.GetValue(precision) == "bf16", parsed.GetValue(sharded)));
        return rank;
    }

    private static StepSetting[] Settings(ArgumentResult result)
    {
        try
        {
            return [.. result.Tokens.Select(token => StepSetting.Parse(token.Value))];
        }
        catch (FormatException exception)
        {
            result.AddError(exception.Message);
            return [];
        }
    }

    private static Option<int> AtLeastOne(Option<int> option)
    {
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && result.GetValueOrDefault<int>() < 1)
            {
                result.AddError($"{option.Name}: at least 1");
            }
        });
        return option;
    }
}
