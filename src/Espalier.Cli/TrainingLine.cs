using System.Globalization;
using Espalier.Training;

namespace Espalier.Cli;

/// <summary>The progress line of training runs, one after the other.</summary>
internal sealed class TrainingLine : IDisposable
{
    private ProgressLine _line = new();

    /// <summary>Shows how far a run is.</summary>
    public void Show(Recipe recipe, TrainingProgress progress) => _line.Show(
        () => Text(recipe.Name, progress), always: progress.Step == progress.TotalSteps && progress.Row is not null);

    /// <summary>Warns of something, on a line of its own.</summary>
    public void Warn(string what)
    {
        _line.Dispose();
        _line = new ProgressLine();
        Console.Error.WriteLine($"warning: {what}");
    }

    /// <summary>Ends the line of a run; says so where there was nothing to do.</summary>
    public void End(RunResult result)
    {
        _line.Dispose();
        _line = new ProgressLine();
        if (result.End == RunEnd.ReachedBefore)
        {
            Console.Error.WriteLine($"{result.Folder} is finished: {result.TotalSteps} steps");
        }
    }

    /// <summary>Tells a person how to go on after a signal, and gives the exit code for it.</summary>
    public static int SayStopped()
    {
        Console.Error.WriteLine("Stopped and saved. The same command goes on from there.");
        return Failures.Interrupted;
    }

    public void Dispose() => _line.Dispose();

    private static string Text(string name, TrainingProgress progress)
    {
        double share = (double)progress.Step / progress.TotalSteps;
        string activity = progress.Activity switch
        {
            TrainingActivity.Evaluating => "evaluating",
            TrainingActivity.Saving => "saving",
            _ => "",
        };
        string[] parts =
        [
            $"{name} {ProgressLine.Bar(share, 16)}",
            string.Create(CultureInfo.InvariantCulture, $"{progress.Step}/{progress.TotalSteps}"),
            progress.Loss is double loss ? string.Create(CultureInfo.InvariantCulture, $"loss {loss:F3}") : "",
            progress.ValidLoss is double valid ? string.Create(CultureInfo.InvariantCulture, $"valid {valid:F3}") : "",
            string.Create(CultureInfo.InvariantCulture, $"{progress.StoredLayers} layers"),
            string.Create(CultureInfo.InvariantCulture, $"{progress.TokensPerSecond:N0} tokens/s"),
            progress.Remaining is TimeSpan left ? $"{ProgressLine.Time(left)} left" : "",
            activity,
        ];
        return string.Join("  ", parts.Where(part => part.Length > 0));
    }
}
