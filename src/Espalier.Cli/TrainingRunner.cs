using System.Globalization;
using Espalier.Data;
using Espalier.Training;

namespace Espalier.Cli;

/// <summary>Runs a recipe in a run folder with a progress line.</summary>
internal static class TrainingRunner
{
    /// <summary>Runs, or goes on, to the end.</summary>
    /// <returns>Whether the end was reached; false where a signal came first and the state was saved.</returns>
    public static bool Run(Recipe recipe, string folder, CancellationToken stop)
    {
        Dataset data = Dataset.Open(recipe.Data.Path);
        using var line = new ProgressLine();
        using var trainer = new Trainer(recipe, data, new Reporter(progress =>
            line.Show(() => Text(recipe.Name, progress), always: progress.Step == progress.TotalSteps && progress.Row is not null)));
        using RunDirectory run = RunDirectory.Open(folder, recipe);
        bool wasFinished = trainer.IsFinished(run);
        bool isFinished = trainer.Run(run, stop);
        if (wasFinished)
        {
            Console.Error.WriteLine($"{folder} is finished: {trainer.TotalSteps} steps");
        }

        return isFinished;
    }

    /// <summary>Tells a person how to go on after a signal, and gives the exit code for it.</summary>
    public static int SayStopped()
    {
        Console.Error.WriteLine("Stopped and saved. The same command goes on from there.");
        return Failures.Interrupted;
    }

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

    /// <summary>Reports at once, on the thread that trains; .NET's own would queue.</summary>
    private sealed class Reporter(Action<TrainingProgress> report) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => report(value);
    }
}
