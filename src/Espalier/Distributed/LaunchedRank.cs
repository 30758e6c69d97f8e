using System.Globalization;
using System.IO.Hashing;
using System.Text;
using System.Text.RegularExpressions;

namespace Espalier.Distributed;

/// <summary>What a launcher tells one of the processes that it starts: torchrun, <c>espalier launch</c>, mpirun or srun.</summary>
/// <param name="Rank">The process's number, from 0.</param>
/// <param name="Size">The number of processes.</param>
/// <param name="LocalRank">Its number among those on its host, which chooses its GPU.</param>
/// <param name="Host">Where the processes meet: the host of rank 0.</param>
/// <param name="Port">The port there.</param>
public sealed partial record LaunchedRank(int Rank, int Size, int LocalRank, string Host, int Port)
{
    private const int FirstPort = 20_000, Ports = 10_000;

    /// <summary>Whether rank 0 opens the meeting place; torchrun may have opened it itself.</summary>
    public bool FirstServes { get; init; } = true;

    /// <summary>Counts how often the launcher has started the processes.</summary>
    public string Attempt { get; init; } = "0";

    /// <summary>What the launcher of this process says; null where it is the only one.</summary>
    /// <exception cref="UserErrorException">A launcher says that there are several processes, but not enough of them.</exception>
    public static LaunchedRank? OfThisProcess() => From(Environment.GetEnvironmentVariable);

    /// <summary>What a launcher says in an environment; null where there is one process.</summary>
    /// <param name="environment">Gives the value of a variable, or null.</param>
    /// <exception cref="UserErrorException">A launcher says that there are several processes, but not enough of them.</exception>
    public static LaunchedRank? From(Func<string, string?> environment) =>
        OfTorchrun(environment) ?? OfOpenMpi(environment) ?? OfSlurm(environment);

    /// <summary>What may have been forgotten where a process is the only one; null where nothing points to that.</summary>
    /// <param name="environment">Gives the value of a variable, or null.</param>
    public static string? DoubtOf(Func<string, string?> environment) =>
        From(environment) is null && environment("SLURM_STEP_NUM_TASKS") is null && SizeIn("SLURM_NTASKS", environment) is int tasks
            ? $"this Slurm job has {tasks} tasks, and this is one process: `srun espalier ...` starts all of them"
            : null;

    /// <summary>The first host of a list as Slurm writes it: <c>node[03-06,9],gpu1</c> begins with <c>node03</c>.</summary>
    internal static string FirstHost(string hosts)
    {
        // Commas in brackets separate numbers, those outside hosts.
        string first = FirstOfList().Match(hosts).Value;
        return Brackets().Replace(first, range => range.Groups["first"].Value);
    }

    private static LaunchedRank? OfTorchrun(Func<string, string?> environment)
    {
        if (SizeIn("WORLD_SIZE", environment) is not int size)
        {
            return null;
        }

        return new LaunchedRank(
            Number("RANK", "WORLD_SIZE", size, environment),
            size,
            environment("LOCAL_RANK") is null ? 0 : Number("LOCAL_RANK", "WORLD_SIZE", size, environment),
            environment("MASTER_ADDR") ?? throw Missing("MASTER_ADDR", "WORLD_SIZE", size),
            PortIn(environment) ?? throw Missing("MASTER_PORT", "WORLD_SIZE", size))
        {
            FirstServes = environment("TORCHELASTIC_USE_AGENT_STORE") != "True",
            Attempt = environment("TORCHELASTIC_RESTART_COUNT") ?? "0",
        };
    }

    private static LaunchedRank? OfOpenMpi(Func<string, string?> environment)
    {
        const string Size = "OMPI_COMM_WORLD_SIZE";
        if (SizeIn(Size, environment) is not int size)
        {
            return null;
        }

        bool isOneHost = environment("OMPI_COMM_WORLD_LOCAL_SIZE") == environment(Size);
        return new LaunchedRank(
            Number("OMPI_COMM_WORLD_RANK", Size, size, environment),
            size,
            Number("OMPI_COMM_WORLD_LOCAL_RANK", Size, size, environment),
            environment("MASTER_ADDR") ?? (isOneHost ? "127.0.0.1" : throw new UserErrorException(
                "mpirun has started processes on several hosts, and does not tell them where they meet.",
                "Name the first of its hosts: `mpirun -x MASTER_ADDR=HOST ...`.")),
            PortIn(environment) ?? PortOf(environment("PMIX_NAMESPACE") ?? environment("OMPI_MCA_ess_base_jobid") ?? ""));
    }

    private static LaunchedRank? OfSlurm(Func<string, string?> environment)
    {
        // A batch script has the job's SLURM_NTASKS and SLURM_PROCID=0, though what it starts without srun is alone.
        const string Size = "SLURM_STEP_NUM_TASKS";
        if (SizeIn(Size, environment) is not int size)
        {
            return null;
        }

        return new LaunchedRank(
            Number("SLURM_PROCID", Size, size, environment),
            size,
            Number("SLURM_LOCALID", Size, size, environment),
            environment("MASTER_ADDR") ?? FirstHost(
                environment("SLURM_STEP_NODELIST") ?? environment("SLURM_JOB_NODELIST") ?? throw Missing("SLURM_JOB_NODELIST", Size, size)),
            PortIn(environment) ?? PortOf($"{environment("SLURM_JOB_ID")}.{environment("SLURM_STEP_ID")}"));
    }

    /// <summary>How many processes there are, where there are several.</summary>
    private static int? SizeIn(string name, Func<string, string?> environment) =>
        int.TryParse(environment(name), NumberStyles.Integer, CultureInfo.InvariantCulture, out int size) && size > 1 ? size : null;

    private static int Number(string name, string sizeName, int size, Func<string, string?> environment) =>
        int.TryParse(environment(name), NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number < size
            ? number
            : environment(name) is string text
                ? throw new UserErrorException($"{name} is '{text}', where {sizeName} is {size}.", $"It is a number from 0 to {size - 1}.")
                : throw Missing(name, sizeName, size);

    private static int? PortIn(Func<string, string?> environment) =>
        environment("MASTER_PORT") is not string text ? null
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int port) && port is > 0 and <= ushort.MaxValue ? port
        : throw new UserErrorException($"MASTER_PORT is '{text}'.", "It is a number from 1 to 65535.");

    /// <summary>A port that all processes of a job come to, and seldom those of another.</summary>
    private static int PortOf(string job) => FirstPort + (int)(XxHash32.HashToUInt32(Encoding.UTF8.GetBytes(job)) % Ports);

    private static UserErrorException Missing(string name, string sizeName, int size) => new(
        $"{sizeName} is {size}: this looks like one of {size} processes, but there is no {name}.",
        $"Start them by `espalier launch`, torchrun, mpirun or srun; or, if this is the only process, say so: `{sizeName}=1 espalier ...`");

    [GeneratedRegex(@"^([^,\[]|\[[^\]]*\])*")]
    private static partial Regex FirstOfList();

    [GeneratedRegex(@"\[(?<first>\d+)[^\]]*\]")]
    private static partial Regex Brackets();
}
