using System.Globalization;
using Espalier.Torch;

namespace Espalier.Training;

/// <summary>
/// The threads of a run, in force until this is disposed of. Threads of one operation wait for each other: where others use the processors,
/// two are several times slower than one. A run that goes on keeps its number, for another changes the order of sums.
/// </summary>
internal sealed class ThreadChoice : IDisposable
{
    // Looked at once a process: runs that it trains one after the other are computed alike.
    private static readonly Lazy<ProcessorUse?> Use = new(() => MachineRoom.Processors());

    private readonly int _before = Engine.Threads;

    private ThreadChoice(string? warning) => Warning = warning;

    /// <summary>What a person may want to know of the number; null for nothing.</summary>
    public string? Warning { get; }

    /// <summary>Puts the number for a run in force.</summary>
    /// <param name="recipe">Its recipe.</param>
    /// <param name="folder">Its folder, which need not exist.</param>
    /// <param name="isFree">Whether a number that the recipe leaves open is chosen; else it stays as it is.</param>
    public static ThreadChoice Of(Recipe recipe, string folder, bool isFree)
    {
        int? asked = recipe.Training.Threads;
        if (asked is null && !isFree)
        {
            return new ThreadChoice(null);
        }

        RunMachine? last = isFree ? RunLog.Open(folder).Starts.LastOrDefault()?.Machine : null;
        bool isSaid = !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("OMP_NUM_THREADS"));
        (int threads, string? warning) = Decide(
            asked, isSaid ? Engine.DefaultThreads : null, last?.Host == Environment.MachineName ? last.Threads : null,
            Environment.ProcessorCount, Use.Value);
        var choice = new ThreadChoice(isFree ? warning : null);
        Engine.Threads = threads;
        return choice;
    }

    /// <summary>Decides for a number.</summary>
    /// <param name="recipe">What the recipe asks for; it comes first.</param>
    /// <param name="environment">What OMP_NUM_THREADS asks for.</param>
    /// <param name="last">What the run had before, on this machine.</param>
    /// <param name="allowed">The processors that this process may use.</param>
    /// <param name="use">What the machine is at; null where it does not tell.</param>
    internal static (int Threads, string? Warning) Decide(int? recipe, int? environment, int? last, int allowed, ProcessorUse? use)
    {
        ProcessorUse machine = use ?? new ProcessorUse(allowed, 0);
        int free = Math.Clamp(machine.All - machine.Busy, 1, allowed);
        int threads = recipe ?? environment ?? (last <= allowed ? last : null) ?? free;
        string busy = string.Create(
            CultureInfo.InvariantCulture, $"other programs keep {machine.Busy} threads at work on the {machine.All} processors of this machine");
        bool isChosen = recipe is null && environment is null && !(last <= allowed);
        string? warning =
            isChosen && threads < allowed ? $"{busy}: this run takes {threads} of the {allowed} that it may use; training.threads decides otherwise"
            : threads > 1 && threads > free ? $"{busy}: the {threads} threads of this run will wait for each other, and {free} may be faster ({Remedy(recipe is not null, free)})"
            : null;
        return (threads, warning);
    }

    private static string Remedy(bool isInRecipe, int free) => isInRecipe ? $"training.threads={free}" : $"OMP_NUM_THREADS={free}";

    /// <inheritdoc/>
    public void Dispose() => Engine.Threads = _before;
}

/// <summary>What the processors of a machine are at.</summary>
/// <param name="All">Those that the machine has, whatever this process may use.</param>
/// <param name="Busy">The threads that want one, those of this process left out.</param>
internal readonly record struct ProcessorUse(int All, int Busy);
