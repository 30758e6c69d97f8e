using Espalier.Training;

namespace Espalier.Experiments;

/// <summary>How an experiment goes.</summary>
/// <param name="Finished">Runs at their end that it needs.</param>
/// <param name="Wanted">Runs that it needs as far as is known: which seeds follow a sweep is known from the first.</param>
/// <param name="SpentFlops">What its finished runs have cost, what they share counted once.</param>
/// <param name="WantedFlops">What all are expected to cost, likewise.</param>
public readonly record struct ExperimentProgress(int Finished, int Wanted, double SpentFlops, double WantedFlops);

/// <summary>A run that could not be made.</summary>
/// <param name="Run">The run.</param>
/// <param name="Reason">Why, in words.</param>
public sealed record FailedRun(ExperimentRun Run, string Reason);

/// <summary>
/// Makes the runs of a grid: of every arm and budget first the sweep over rates, then the other seeds at the best rate. What to do next
/// follows from the folders of the runs alone, so that an experiment goes on wherever it was left.
/// </summary>
public sealed class ExperimentRunner
{
    /// <summary>Makes one run, or goes on with it.</summary>
    /// <param name="run">The run.</param>
    /// <param name="folder">Its folder.</param>
    /// <param name="from">The checkpoint of another run, `RUN@STEP`, that is on its way, and from which it is to go on; null for step 0.</param>
    /// <param name="stop">Asks it to save its state and to leave.</param>
    /// <returns>Why it could not be made; null where it is at its end, or was asked to stop.</returns>
    public delegate Task<string?> Launch(ExperimentRun run, string folder, string? from, CancellationToken stop);

    private readonly ExperimentGrid _grid;
    private readonly string _pool;
    private readonly Dictionary<string, FinishedRun> _finished = [];
    private readonly Dictionary<string, FailedRun> _failed = [];

    /// <summary>Looks at what is there.</summary>
    /// <param name="grid">The grid.</param>
    /// <param name="pool">The folder that holds the runs, of this experiment and of others.</param>
    /// <exception cref="UserErrorException">A finished run is damaged.</exception>
    public ExperimentRunner(ExperimentGrid grid, string pool)
    {
        (_grid, _pool) = (grid, pool);
        Refresh();
    }

    /// <summary>The runs that could not be made.</summary>
    public IReadOnlyCollection<FailedRun> Failed => _failed.Values;

    /// <summary>
    /// Folders in the pool that bear the key of a run that is needed and hold that of another recipe, each in words: they are left
    /// alone, and the run is made anew.
    /// </summary>
    public IReadOnlyList<string> LeftAlone => [.. Needed.SelectMany(run => run.StrangersIn(_pool))];

    /// <summary>The runs that are known to be needed, finished or not, in the order in which they are made.</summary>
    public IReadOnlyList<ExperimentRun> Needed =>
    [
        .. _grid.Cells().SelectMany(cell => Sweep(cell.Arm, cell.Budget))
            .Concat(_grid.Cells().SelectMany(cell => Chosen(cell.Arm, cell.Budget)))
            .DistinctBy(run => run.Key),
    ];

    /// <summary>How far it is.</summary>
    public ExperimentProgress Progress
    {
        get
        {
            int pendingSeeds = _grid.Config.Seeds.Length - _grid.SweepSeeds.Count;
            (GridArm Arm, double Budget)[] open = [.. _grid.Cells().Where(cell => BestRate(cell.Arm, cell.Budget) is null)];
            IReadOnlyList<ExperimentRun> needed = Needed;
            return new ExperimentProgress(
                needed.Count(IsFinished),
                needed.Count + (open.Length * pendingSeeds),
                needed.Sum(run => Result(run)?.SpentFlops ?? 0),
                needed.Sum(Expected) + open.Sum(cell => pendingSeeds * Expected(_grid.Run(cell.Arm, cell.Budget, cell.Arm.LearningRates[0], _grid.Config.Seeds[0]))));
        }
    }

    /// <summary>Whether a run is at its end.</summary>
    /// <param name="run">The run.</param>
    public bool IsFinished(ExperimentRun run) => Result(run) is not null;

    /// <summary>What a run came to; null where it is not at its end.</summary>
    /// <param name="run">The run.</param>
    public FinishedRun? Result(ExperimentRun run)
    {
        ArgumentNullException.ThrowIfNull(run);
        return _finished.GetValueOrDefault(run.Key);
    }

    /// <summary>What a run will cost, or has: without what it takes over from a run of a smaller budget.</summary>
    /// <param name="run">The run.</param>
    public double Expected(ExperimentRun run)
    {
        ArgumentNullException.ThrowIfNull(run);
        return Result(run)?.SpentFlops
            ?? run.ExpectedFlops - (_grid.Trunks(run).FirstOrDefault() is ExperimentRun trunk ? _grid.FlopsUpTo(run, trunk.StableSteps) : 0);
    }

    /// <summary>The finished runs of an arm at a budget with a rate, by seed.</summary>
    /// <param name="arm">The arm.</param>
    /// <param name="budget">FLOPs.</param>
    /// <param name="rate">The peak learning rate.</param>
    public IReadOnlyList<FinishedRun> Finished(GridArm arm, double budget, double rate) =>
    [
        .. _grid.Config.Seeds.Select(seed => Result(_grid.Run(arm, budget, rate, seed))).OfType<FinishedRun>(),
    ];

    /// <summary>The best rate of a sweep, by the mean loss over the seeds that choose; null where the sweep is not at its end.</summary>
    /// <param name="arm">The arm.</param>
    /// <param name="budget">FLOPs.</param>
    public double? BestRate(GridArm arm, double budget)
    {
        ArgumentNullException.ThrowIfNull(arm);
        ExperimentRun[] sweep = [.. Sweep(arm, budget)];
        return Array.TrueForAll(sweep, IsOver) && Array.Exists(sweep, IsFinished)
            ? arm.LearningRates.MinBy(rate => SweepLoss(arm, budget, rate) ?? double.PositiveInfinity)
            : null;
    }

    /// <summary>The mean loss of a rate over the seeds that choose; null where one of them has none.</summary>
    /// <param name="arm">The arm.</param>
    /// <param name="budget">FLOPs.</param>
    /// <param name="rate">The peak learning rate.</param>
    public double? SweepLoss(GridArm arm, double budget, double rate)
    {
        double?[] losses =
        [
            .. _grid.SweepSeeds.Select(seed => Result(_grid.Run(arm, budget, rate, seed))?.Loss),
        ];
        return Array.TrueForAll(losses, loss => loss is not null) ? losses.Average() : null;
    }

    /// <summary>Makes what is needed and not there.</summary>
    /// <param name="launch">Makes one run.</param>
    /// <param name="parallel">How many at once.</param>
    /// <param name="changed">Hears of every run that begins or ends.</param>
    /// <param name="stop">Asks the runs under way to save their states and to leave; no other begins.</param>
    /// <returns>Whether every run is over, be it that it failed.</returns>
    public async Task<bool> Run(Launch launch, int parallel, Action<ExperimentRun>? changed = null, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(launch);
        ArgumentOutOfRangeException.ThrowIfLessThan(parallel, 1);
        var underWay = new Dictionary<string, (ExperimentRun Run, Task<string?> Task)>();
        while (true)
        {
            while (!stop.IsCancellationRequested && underWay.Count < parallel
                && Next(underWay.Keys) is ExperimentRun next)
            {
                underWay.Add(next.Key, (next, launch(next, next.FolderIn(_pool), From(next), stop)));
                changed?.Invoke(next);
            }

            if (underWay.Count == 0)
            {
                return !stop.IsCancellationRequested || Needed.All(IsOver);
            }

            await Task.WhenAny(underWay.Values.Select(running => running.Task)).ConfigureAwait(false);
            foreach ((ExperimentRun run, Task<string?> task) in underWay.Values.Where(running => running.Task.IsCompleted).ToArray())
            {
                underWay.Remove(run.Key);
                string? reason = await task.ConfigureAwait(false);
                if (run.ResultIn(_pool) is FinishedRun finished)
                {
                    _finished[run.Key] = finished;
                }
                else if (!stop.IsCancellationRequested)
                {
                    _failed[run.Key] = new FailedRun(run, reason ?? "it ended before its last update");
                }

                changed?.Invoke(run);
            }
        }
    }

    /// <summary>The next run to begin: not one that could go on from the stable phase of another that is still to come.</summary>
    private ExperimentRun? Next(IReadOnlyCollection<string> underWay)
    {
        IReadOnlyList<ExperimentRun> needed = Needed;
        HashSet<string> toCome = [.. needed.Where(run => !IsOver(run)).Select(run => run.Key)];
        return needed.FirstOrDefault(run => toCome.Contains(run.Key) && !underWay.Contains(run.Key)
            && (HasBegun(run) || _grid.Trunks(run).FirstOrDefault(trunk => toCome.Contains(trunk.Key)) is not ExperimentRun trunk
                || trunk.TrunkIn(_pool) is not null));
    }

    private string? From(ExperimentRun run) =>
        HasBegun(run) ? null : _grid.Trunks(run).Select(trunk => trunk.TrunkIn(_pool)).FirstOrDefault(trunk => trunk is not null);

    private bool HasBegun(ExperimentRun run) => RunDirectory.LatestCheckpointOf(run.FolderIn(_pool)) is not null;

    private void Refresh()
    {
        // Until nothing new is found: a sweep that is complete tells which seeds to look for.
        int before;
        do
        {
            before = _finished.Count;
            foreach (ExperimentRun run in Needed.Where(run => !IsFinished(run)))
            {
                if (run.ResultIn(_pool) is FinishedRun finished)
                {
                    _finished.Add(run.Key, finished);
                }
            }
        }
        while (_finished.Count > before);
    }

    private bool IsOver(ExperimentRun run) => IsFinished(run) || _failed.ContainsKey(run.Key);

    private IEnumerable<ExperimentRun> Sweep(GridArm arm, double budget) =>
        arm.LearningRates.SelectMany(_ => _grid.SweepSeeds, (rate, seed) => _grid.Run(arm, budget, rate, seed));

    private IEnumerable<ExperimentRun> Chosen(GridArm arm, double budget) => BestRate(arm, budget) is double rate
        ? _grid.Config.Seeds.Select(seed => _grid.Run(arm, budget, rate, seed))
        : [];
}
