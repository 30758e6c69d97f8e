using System.Text.Json.Nodes;
using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Optimization;
using Espalier.Reporting;
using Espalier.Training;
using static System.FormattableString;

namespace Espalier.Planning;

/// <summary>How a pilot goes.</summary>
public sealed record PilotOptions
{
    /// <summary>How long both of its runs are. Default 20 % of the recipe.</summary>
    public Duration Length { get; init; } = Duration.Percent(20);

    /// <summary>The grown run has caught up once its loss is this share above the other's, or less.</summary>
    public double Tolerance { get; init; } = 0.005;
}

/// <summary>
/// Plans when to grow late from two short runs: one of the final model, one that grows at the end of its warm-up. The updates that it
/// takes to catch up, t_mix, are all that the growth needs before the learning rate falls (arXiv 2511.04981).
/// </summary>
public sealed class PilotPlan
{
    internal const string Fixed = "fixed", Grown = "grown";

    // Rows of metrics of a pilot, and over how many of them losses are compared.
    private const int Rows = 200, Window = 5;

    private readonly Recipe _recipe;
    private readonly PilotOptions _options;
    private readonly string _folder;
    private readonly Recipe[] _runs;
    private readonly StagedDepthConfig _method;
    private readonly long _hop, _total;

    /// <summary>Prepares a pilot; nothing is written yet.</summary>
    /// <param name="recipe">The recipe of the whole run. Where its method grows layers, so does the pilot, from its first stage.</param>
    /// <param name="folder">The folder of both runs.</param>
    /// <param name="options">How it goes.</param>
    /// <exception cref="UserErrorException">The pilot would be too short or too long.</exception>
    public PilotPlan(Recipe recipe, string folder, PilotOptions? options = null)
    {
        (_recipe, _folder, _options) = (recipe, folder, options ?? new PilotOptions());
        if (!(_options.Tolerance is >= 0 and < 1))
        {
            throw new UserErrorException(Invariant($"--tolerance {_options.Tolerance} is not between 0 and 1."));
        }

        long tokens = (long)recipe.Training.MicroBatch * recipe.Training.GradientAccumulation * recipe.Model.ContextLength;
        _total = recipe.Training.Length.ToSteps(0, tokens);
        long length = _options.Length.ToSteps(_total, tokens);
        _hop = Math.Max(1, recipe.LearningRate.Warmup.ToSteps(_total, tokens));
        if (length <= _hop + Window || length > _total)
        {
            throw new UserErrorException(
                $"A pilot of {length} updates is too {(length > _total ? "long for a run" : "short for a warm-up")} of {(length > _total ? _total : _hop)}.",
                "Name another --pilot-length, such as '20 %'.");
        }

        _method = recipe.Method switch
        {
            StagedDepthConfig { Stages.Length: >= 2 } staged => staged,
            StagedGrowthConfig other => throw new UserErrorException(
                $"A pilot grows layers only, and {other.Name} grows other sizes.", "Set method.name=late-growth or progressive."),
            _ when recipe.Model.Layers > 1 => (StagedDepthConfig)new LateGrowthConfig().Resolve(recipe.Model),
            _ => throw new UserErrorException("A model of one layer has nothing to grow from.", "Raise the layers of the model."),
        };
        Recipe pilot = recipe with
        {
            Training = recipe.Training with { Length = Duration.Steps(length) },
            LearningRate = recipe.LearningRate with { Schedule = LearningRateSchedule.Constant, Warmup = Duration.Steps(_hop) },
            Logging = new LoggingConfig { Every = Duration.Steps(Math.Max(1, length / Rows)) },
        };
        _runs = [pilot with { Name = Fixed, Method = new ScratchConfig() }, pilot with { Name = Grown, Method = HopAt(_hop) }];
    }

    /// <summary>Runs both, or goes on where they were.</summary>
    /// <param name="progress">Hears of every step, evaluation and checkpoint.</param>
    /// <param name="ended">Hears of each run that training has left.</param>
    /// <param name="stop">Asks the run under way to save its state and to leave.</param>
    /// <returns>Whether both are at their end.</returns>
    /// <exception cref="UserErrorException">There is no data, it does not fit, or the folder holds something else.</exception>
    public bool Run(Action<Recipe, TrainingProgress>? progress = null, Action<RunResult>? ended = null, CancellationToken stop = default) =>
        Array.TrueForAll(_runs, recipe =>
        {
            RunResult result = TrainingRun.Run(recipe, FolderOf(recipe), made => progress?.Invoke(recipe, made), stop);
            ended?.Invoke(result);
            return result.IsFinished;
        });

    /// <summary>Makes the plan of runs that have ended.</summary>
    /// <exception cref="UserErrorException">The grown run has not caught up, or the whole run is too short for it.</exception>
    public PlanReport Make()
    {
        RunMetrics[] runs = [.. _runs.Select(recipe => RunMetrics.Load(FolderOf(recipe)))];
        (long Step, double Gap)[] gaps = Gaps(runs[0].Rows, runs[1].Rows, _hop);

        // Right after an early growth both are still alike: what counts is from when on they stay so.
        int caught = Array.FindLastIndex(gaps, gap => gap.Gap > _options.Tolerance) + 1;
        if (gaps.Length == 0)
        {
            throw new UserErrorException(
                $"The runs in {_folder} share fewer than {Window} rows of metrics after the growth.", "Take a longer --pilot-length with another --out.");
        }

        if (caught == gaps.Length)
        {
            throw new UserErrorException(
                $"The grown run has not caught up: {gaps[^1].Step - _hop} updates after its growth its loss is still {Figures.Percent(gaps[^1].Gap)} above that of the fixed one.",
                "Take a longer --pilot-length with another --out, or a larger --tolerance.");
        }

        long mix = gaps[caught].Step - _hop;
        long tokens = (long)_recipe.Training.MicroBatch * _recipe.Training.GradientAccumulation * _recipe.Model.ContextLength;
        bool isConstant = _recipe.LearningRate.Schedule == LearningRateSchedule.Constant;
        LearningRateConfig rate = isConstant ? _recipe.LearningRate : _recipe.LearningRate with { Schedule = LearningRateSchedule.Wsd };
        long decay = isConstant ? 0 : rate.Decay.ToSteps(_total, tokens), tau = _total - decay - mix;
        if (tau <= _hop)
        {
            throw new UserErrorException(
                $"The run of {_total} updates is too short: mixing takes {mix} of them and the decay {decay}, so that it would grow during the warm-up.",
                "Lengthen training.length, or train from scratch.");
        }

        Recipe planned = _recipe with { Name = _recipe.Name + "-late", Method = HopAt(tau), LearningRate = rate };
        var data = Data.Dataset.Open(_recipe.Data.Path);
        double predicted = _recipe.Model.Architecture.Objective(data.LoadTokenizer()).PredictedShare(_recipe.Model.ContextLength);
        var cost = ExpectedCost.Of(
            planned, _recipe.Model with { VocabularySize = _recipe.Model.VocabularySize ?? data.VocabularySize }, predicted);
        return new PlanReport(
            $"Ceiling by the pilot: one growth from {_method.Stages[0]} to {_recipe.Model.Layers} layers can save at most "
                + $"{Figures.Percent(1 - cost.Share)} of the FLOPs of training from scratch ({Figures.Percent(1 - cost.ShareWithoutHead)} without the head), "
                + $"growing at update {tau} of {_total}; growing later leaves no time to catch up.",
            [
                new TextTable(
                    "The pilot",
                    ["grew at", "caught up at", "t_mix", "whole run T", "decay", "tau = T - decay - t_mix", "FLOPs of scratch", "without head"],
                    [[Invariant($"{_hop}"), Invariant($"{gaps[caught].Step}"), Invariant($"{mix}"), Invariant($"{_total}"), Invariant($"{decay}"), Invariant($"{tau}"), Figures.Percent(cost.Share), Figures.Percent(cost.ShareWithoutHead)]]),
            ],
            [
                Invariant($"t_mix: updates from the growth to where the training loss, over {Window} rows, is and stays at most {_options.Tolerance * 100:0.##} % above that of the fixed run on the same batches; both at a constant rate after the warm-up (arXiv 2511.04981)."),
                isConstant
                    ? "The recipe's learning rate is constant: nothing is left for a decay."
                    : $"The rate is constant until the last {rate.Decay} (wsd)"
                        + (_recipe.LearningRate == rate ? "." : $", and no {ConfigKeys.Kebab(_recipe.LearningRate.Schedule)}, under which late growth is known to fail from half of the run on; the recipe that --out writes says so."),
                $"The pilot has cost {Figures.Flops(runs.Sum(run => run.Cost.Flops))} FLOPs, {Figures.Percent(runs.Sum(run => run.Cost.Flops) / cost.Scratch.Total)} of training from scratch.",
            ],
            new JsonObject
            {
                ["ceiling"] = new JsonObject { ["one_growth"] = 1 - cost.Share, ["one_growth_without_head"] = 1 - cost.ShareWithoutHead },
                ["grew_at"] = _hop, ["caught_up_at"] = gaps[caught].Step, ["t_mix"] = mix, ["total"] = _total, ["decay"] = decay, ["tau"] = tau,
                ["share_of_scratch"] = cost.Share, ["share_without_head"] = cost.ShareWithoutHead,
                ["pilot_flops"] = runs.Sum(run => run.Cost.Flops),
            },
            Chart(runs, gaps[caught].Step), RecipeWriter.Write(planned));
    }

    /// <summary>By how much, as a share, the loss of the grown run is above that of the fixed one, over the last rows after the growth.</summary>
    internal static (long Step, double Gap)[] Gaps(IReadOnlyList<MetricsRow> fixedRun, IReadOnlyList<MetricsRow> grown, long hop)
    {
        (long Step, double Fixed, double Grown)[] pairs =
        [
            .. from a in fixedRun
               join b in grown on a.Step equals b.Step
               where a.Step > hop && a.TrainLoss is not null && b.TrainLoss is not null
               select (a.Step, a.TrainLoss!.Value, b.TrainLoss!.Value),
        ];
        return
        [
            .. Enumerable.Range(Window - 1, Math.Max(0, pairs.Length - Window + 1)).Select(i =>
            {
                ArraySegment<(long Step, double Fixed, double Grown)> last = new(pairs, i - Window + 1, Window);
                return (pairs[i].Step, (last.Sum(pair => pair.Grown) / last.Sum(pair => pair.Fixed)) - 1);
            }),
        ];
    }

    private string FolderOf(Recipe run) => Path.Combine(_folder, run.Name);

    private StagedDepthConfig HopAt(long step) => _method with
    {
        Stages = [_method.Stages[0], _recipe.Model.Layers],
        Boundaries = [(GrowthTrigger)Duration.Steps(step)],
    };

    private SvgChart Chart(RunMetrics[] runs, long caught)
    {
        double lowest = runs.Min(run => run.Rows.Min(row => row.TrainLoss ?? double.PositiveInfinity));
        return new SvgChart
        {
            Title = "The pilot: training loss over updates",
            X = new ChartAxis { Label = "Updates", Minimum = 0 },
            Y = new ChartAxis { Label = "Nats per token", Minimum = lowest * 0.95, Maximum = runs[0].Rows.First(row => row.TrainLoss is not null && row.Step >= _hop).TrainLoss * 1.2 },
            Series =
            [
                .. runs.Select((run, i) => new ChartSeries
                {
                    Name = run.Name,
                    Color = i,
                    Points = [.. run.Rows.Where(row => row.TrainLoss is not null).Select(row => new ChartPoint(row.Step, row.TrainLoss!.Value))],
                    Events = i == 1 ? [new ChartEvent(_hop, "grew"), new ChartEvent(caught, "caught up")] : [],
                }),
            ],
        };
    }
}
