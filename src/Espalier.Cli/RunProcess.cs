using System.Diagnostics;
using System.Globalization;
using Espalier.Experiments;
using Espalier.Training;

namespace Espalier.Cli;

/// <summary>
/// Runs of an experiment, each a process of its own: one that fails leaves the others alone, and each has its share of the processor.
/// </summary>
/// <param name="parallel">How many there are at once.</param>
internal sealed class RunProcess(int parallel)
{
    private const string Threads = "OMP_NUM_THREADS";
    private const int LinesOfReason = 6;

    private static readonly TimeSpan WhileInUse = TimeSpan.FromMilliseconds(200);

    /// <summary>Makes a run, or goes on with it; see <see cref="ExperimentRunner.Launch"/>.</summary>
    public async Task<string?> Launch(ExperimentRun run, string folder, string? from, CancellationToken stop)
    {
        // By a run of another experiment that is the same, or by one whose experiment was killed, and which still saves its state.
        while (RunDirectory.IsInUse(folder))
        {
            if (stop.IsCancellationRequested)
            {
                return null;
            }

            await Task.Delay(WhileInUse, CancellationToken.None).ConfigureAwait(false);
        }

        try
        {
            if (RunDirectory.LatestCheckpointOf(folder) is null)
            {
                // Makes the folder and puts the recipe into it, or refuses what else it holds.
                RunDirectory.Open(folder, run.TrainedRecipe).Dispose();
            }
        }
        catch (UserErrorException exception)
        {
            return exception.Message;
        }

        using Process process = Process.Start(StartInfo(folder, from))!;
        using CancellationTokenRegistration registration = stop.Register(process.StandardInput.Close);
        Task<string> ignored = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        string said = await process.StandardError.ReadToEndAsync(CancellationToken.None).ConfigureAwait(false);
        await process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        await ignored.ConfigureAwait(false);
        return process.ExitCode == 0 ? null : Reason(said, process.ExitCode);
    }

    private ProcessStartInfo StartInfo(string folder, string? from)
    {
        string[] origin = from is null ? [] : ["--from", from];
        ProcessStartInfo info = SelfStart.Info(["train", Path.Combine(folder, "recipe.yaml"), "--run", folder, .. origin]);
        info.RedirectStandardInput = info.RedirectStandardOutput = info.RedirectStandardError = true;
        info.Environment[StopSignals.WithInput] = "1";
        if (!info.Environment.ContainsKey(Threads))
        {
            info.Environment[Threads] = Math.Max(1, Environment.ProcessorCount / parallel).ToString(CultureInfo.InvariantCulture);
        }

        return info;
    }

    private static string Reason(string said, int exitCode)
    {
        string[] lines = said.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        int error = Array.FindLastIndex(lines, line => line.StartsWith("error:", StringComparison.Ordinal));
        string[] reason = error >= 0 ? lines[error..] : lines[^Math.Min(LinesOfReason, lines.Length)..];
        return reason.Length > 0
            ? string.Join(' ', reason)
            : string.Create(CultureInfo.InvariantCulture, $"its process ended with code {exitCode}");
    }
}
