using System.Text.Json;
using Espalier.Models;
using Espalier.Reporting;

namespace Espalier.Experiments;

/// <summary>What an experiment has come to so far.</summary>
public sealed class ExperimentResult
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
    };

    private readonly LossOverFlops _envelope;
    private readonly LossOverFlops? _target;
    private readonly Dictionary<GridArm, LossOverFlops> _sizes;

    /// <summary>Reads the finished runs of an experiment.</summary>
    /// <param name="grid">The grid.</param>
    /// <param name="runs">Its runs.</param>
    public ExperimentResult(ExperimentGrid grid, ExperimentRunner runs)
    {
        ArgumentNullException.ThrowIfNull(grid);
        ArgumentNullException.ThrowIfNull(runs);
        (Config, Progress, Failed) = (grid.Config, runs.Progress, [.. runs.Failed]);
        Arms =
        [
            .. grid.Cells()
                .Select(cell => (cell.Arm, cell.Budget, Rate: runs.BestRate(cell.Arm, cell.Budget)))
                .Where(cell => cell.Rate is not null)
                .Select(cell => new ArmResult(
                    cell.Arm, cell.Budget,
                    [.. cell.Arm.LearningRates.Select(rate => new RateResult(rate, runs.SweepLoss(cell.Arm, cell.Budget, rate)))],
                    cell.Rate!.Value, runs.Finished(cell.Arm, cell.Budget, cell.Rate.Value)))
                .Where(arm => arm.Runs.Count > 0),
        ];
        CountedFlops = runs.Needed.Sum(run => runs.Result(run)?.Cost.Flops ?? 0);
        _envelope = LossOverFlops.Envelope(Arms.Where(arm => arm.Arm.IsNeverGrown).GroupBy(arm => arm.Arm).Select(Curve));
        _target = Config.Target is string target
            ? LossOverFlops.Of(Arms.Where(arm => arm.Arm.Name == target).Select(Point)) : null;
        _sizes = Arms.Where(arm => arm.Arm.IsNeverGrown).GroupBy(arm => arm.Arm).ToDictionary(arm => arm.Key, Curve);
        Verdicts = [.. Arms.Where(arm => !arm.Arm.IsNeverGrown).Select(VerdictOn).OfType<Verdict>()];
        Limits = [.. Arms.Where(arm => !arm.Arm.IsNeverGrown).Select(LimitOf).OfType<GrowthLimit>()];
    }

    /// <summary>The experiment.</summary>
    public ExperimentConfig Config { get; }

    /// <summary>How far it is.</summary>
    public ExperimentProgress Progress { get; }

    /// <summary>The runs that could not be made.</summary>
    public IReadOnlyList<FailedRun> Failed { get; }

    /// <summary>Every arm at every budget whose sweep is at its end, the small budgets first.</summary>
    public IReadOnlyList<ArmResult> Arms { get; }

    /// <summary>
    /// What the finished runs count, each from its first update on; <see cref="ExperimentProgress.SpentFlops"/> is less where budgets share the
    /// stable phases of their runs.
    /// </summary>
    public double CountedFlops { get; }

    /// <summary>What sharing has saved, in a sentence; null where nothing is shared.</summary>
    public string? Sharing => CountedFlops > Progress.SpentFlops
        ? $"The runs count {Figures.Flops(CountedFlops)} FLOPs, and {Figures.Flops(Progress.SpentFlops)} were spent: budgets share the stable phases of their runs."
        : null;

    /// <summary>Each grown arm against the best that never grew.</summary>
    public IReadOnlyList<Verdict> Verdicts { get; }

    /// <summary>Of each grown arm whose first and last sizes are arms too: the most that growing between them can save.</summary>
    public IReadOnlyList<GrowthLimit> Limits { get; }

    /// <summary>The best never-grown arm at a budget; null where none is at its end.</summary>
    /// <param name="budget">FLOPs.</param>
    public ArmResult? Rival(double budget) =>
        Arms.Where(arm => arm.Arm.IsNeverGrown && arm.Budget == budget).MinBy(arm => arm.Loss.Mean);

    /// <summary>What it has come to, in sentences: each grown arm against the envelope, against the target, and what it could have saved.</summary>
    public IEnumerable<string> Sentences() =>
    [
        .. Verdicts.Select(verdict => verdict.ToString()),
        .. Verdicts.Select(verdict => verdict.AgainstTarget(Config.Target)).OfType<string>(),
        .. Limits.Select(limit => limit.ToString()),
    ];

    /// <summary>What a reader must know before believing the figures.</summary>
    public IEnumerable<string> Warnings()
    {
        if (Progress.Finished < Progress.Wanted)
        {
            yield return $"{Progress.Finished} of {Progress.Wanted} runs are finished: the figures are those of a part.";
        }

        foreach (FailedRun failed in Failed)
        {
            yield return $"a run failed: {failed.Run.FolderName}: {failed.Reason}";
        }

        foreach (IGrouping<double, ArmResult> at in Arms.Where(arm => arm.IsAtEdge).GroupBy(arm => arm.Budget))
        {
            yield return $"at {Figures.Flops(at.Key)} FLOPs the best rate is at the edge of the sweep, so that a better one may lie beyond: "
                + string.Join(", ", at.Select(arm => $"{arm.Arm.Name} ({(arm.BestRate == arm.Sweep[0].LearningRate ? "the least" : "the largest")})"));
        }

        foreach (double budget in Config.Budgets.Order())
        {
            ArmResult[] fixedArms = [.. Arms.Where(arm => arm.Arm.IsNeverGrown && arm.Budget == budget)];
            if (fixedArms.Length > 0 && Rival(budget) is ArmResult rival)
            {
                // Of the same tokens an update, the larger model makes fewer updates of a budget.
                bool isSmallest = fixedArms.All(arm => arm.Runs[0].Run.Steps <= rival.Runs[0].Run.Steps);
                bool isLargest = fixedArms.All(arm => arm.Runs[0].Run.Steps >= rival.Runs[0].Run.Steps);
                if (isSmallest || isLargest)
                {
                    yield return $"at {Figures.Flops(budget)} FLOPs the best model that never grew, {rival.Arm.Name}, is the "
                        + $"{(fixedArms.Length == 1 ? "only" : isSmallest ? "smallest" : "largest")} of them: a better one may lie beyond.";
                }
            }
        }
    }

    /// <summary>What `espalier experiment --json` prints.</summary>
    public string ToJson() => JsonSerializer.Serialize(
        new
        {
            Config.Name,
            Runs = new { Progress.Finished, Progress.Wanted, CountedFlops, Progress.SpentFlops },
            Arms = Arms.Select(arm => new
            {
                Arm = arm.Arm.Name,
                arm.Arm.IsNeverGrown,
                arm.Budget,
                LearningRate = arm.BestRate,
                arm.IsAtEdge,
                Sweep = arm.Sweep.Select(rate => new { rate.LearningRate, rate.Loss }),
                Loss = arm.Loss.Mean,
                LossHalfWidth = arm.Loss.HalfWidth,
                Flops = arm.Cost.Flops,
                arm.Cost.FlopsWithoutHead,
                arm.Cost.Seconds,
                Seeds = arm.Runs.Select(run => new { run.Run.Seed, run.Loss, Steps = run.Run.Steps, run.Folder }),
            }),
            Verdicts = Verdicts.Select(verdict => new
            {
                Arm = verdict.Arm.Arm.Name,
                verdict.Arm.Budget,
                Outcome = verdict.Outcome.ToString(),
                Rival = verdict.Rival.Arm.Name,
                Difference = verdict.Difference.Mean,
                DifferenceHalfWidth = verdict.Difference.HalfWidth,
                verdict.RunsToDecide,
                SavingAgainstEnvelope = verdict.EnvelopeSaving,
                DifferenceFromTarget = verdict.TargetDifference?.Mean,
                DifferenceFromTargetHalfWidth = verdict.TargetDifference?.HalfWidth,
                SavingAgainstTarget = verdict.TargetSaving,
                SpeedupAgainstTarget = verdict.TargetSpeedup,
                Text = verdict.ToString(),
            }),
            Limits = Limits.Select(limit => new
            {
                Arm = limit.Arm.Arm.Name,
                limit.Arm.Budget,
                Small = limit.Small.Arm.Name,
                Large = limit.Large.Arm.Name,
                limit.Ceiling,
                limit.Saving,
                limit.Share,
                Text = limit.ToString(),
            }),
            Warnings = Warnings(),
        },
        Json);

    private Verdict? VerdictOn(ArmResult arm)
    {
        if (Rival(arm.Budget) is not ArmResult rival || arm.PairedWith(rival) is not { Count: > 0 } differences)
        {
            return null;
        }

        double half = ConfidenceInterval.Of(differences).HalfWidth ?? 0;
        return new Verdict(
            arm, rival, ConfidenceInterval.Of(differences), ConfidenceInterval.RunsToDecide(differences),
            Saving(_envelope, 0) is double mean ? new SavingRange(Saving(_envelope, half), mean, Saving(_envelope, -half)) : null,
            DifferenceFrom(Arms.FirstOrDefault(other => other.Arm.Name == Config.Target && other.Budget == arm.Budget)),
            _target is LossOverFlops target ? Saving(target, 0) : null);

        ConfidenceInterval? DifferenceFrom(ArmResult? other) =>
            other is not null && arm.PairedWith(other) is { Count: > 0 } paired ? ConfidenceInterval.Of(paired) : null;

        double? Saving(LossOverFlops curve, double shift) =>
            curve.FlopsAt(arm.Loss.Mean + shift) is double flops ? 1 - (arm.Cost.Flops / flops) : null;
    }

    private GrowthLimit? LimitOf(ArmResult arm)
    {
        return Sized(arm.Arm.InitialModel) is ArmResult small && Sized(arm.Arm.FinalModel) is ArmResult large && small != large
            ? GrowthLimit.Of(arm, small, large, _sizes[large.Arm]) : null;

        ArmResult? Sized(ModelConfig model) => Arms
            .Where(other => other.Arm.IsNeverGrown && other.Budget == arm.Budget && other.Arm.FinalModel.IsSameAs(model))
            .MinBy(other => other.Loss.Mean);
    }

    private static LossOverFlops Curve(IEnumerable<ArmResult> arm) => LossOverFlops.Of(arm.Select(Point));

    private static (double Flops, double Loss) Point(ArmResult arm) => (arm.Cost.Flops, arm.Loss.Mean);
}
