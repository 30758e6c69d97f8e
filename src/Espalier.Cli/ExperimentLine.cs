using System.Collections.Concurrent;
using System.Globalization;
using Espalier.Experiments;
using Espalier.Reporting;

namespace Espalier.Cli;

/// <summary>The progress line of an experiment: its runs, those under way, and the time left.</summary>
internal sealed class ExperimentLine : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly ExperimentRunner _runs;
    private readonly string _pool;
    private readonly ProgressLine _line = new();
    private readonly ConcurrentDictionary<string, ExperimentRun> _underWay = [];
    private readonly Timer _timer;
    private readonly long _started = TimeProvider.System.GetTimestamp();
    private ExperimentProgress _progress;
    private double _spentBefore;

    public ExperimentLine(ExperimentRunner runs, string pool)
    {
        (_runs, _pool, _progress) = (runs, pool, runs.Progress);
        _spentBefore = _progress.SpentFlops;
        _timer = new Timer(_ => Show(), null, Pause, Pause);
    }

    /// <summary>A run has begun or ended; called by one thread.</summary>
    public void Changed(ExperimentRun run)
    {
        if (!_underWay.TryRemove(run.Key, out _))
        {
            _underWay[run.Key] = run;

            // What a run had done before is no speed of today's.
            _spentBefore += Spent(run);
        }

        _progress = _runs.Progress;
    }

    public void Dispose()
    {
        _timer.Dispose();
        lock (_line)
        {
            _line.Dispose();
        }
    }

    private void Show()
    {
        lock (_line)
        {
            _line.Show(Text);
        }
    }

    private string Text()
    {
        (ExperimentRun Run, double Spent)[] underWay = [.. _underWay.Values.Select(run => (run, Spent(run)))];
        double spent = _progress.SpentFlops + underWay.Sum(run => run.Spent), done = spent - _spentBefore;
        double left = (_progress.WantedFlops - spent) / done * TimeProvider.System.GetElapsedTime(_started).TotalSeconds;
        string[] parts =
        [
            string.Create(CultureInfo.InvariantCulture, $"{ProgressLine.Bar(spent / _progress.WantedFlops, 16)}  {_progress.Finished}/{_progress.Wanted} runs"),
            .. underWay.Select(run => string.Create(
                CultureInfo.InvariantCulture, $"{run.Run.Arm} {run.Run.LearningRate:0.###e0} seed {run.Run.Seed} {run.Spent / _runs.Expected(run.Run):P0}")),
            done > 0 && left is > 0 and < 1e9 ? $"{ProgressLine.Time(TimeSpan.FromSeconds(left))} left" : "",
        ];
        return string.Join("  ", parts.Where(part => part.Length > 0));
    }

    private double Spent(ExperimentRun run)
    {
        try
        {
            return RunMetrics.Load(run.FolderIn(_pool)).Cost.Flops - run.SharedFlopsIn(_pool);
        }
        catch (UserErrorException)
        {
            // It has no row yet.
            return 0;
        }
    }
}
