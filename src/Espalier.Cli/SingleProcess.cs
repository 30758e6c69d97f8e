using System.Globalization;

namespace Espalier.Cli;

/// <summary>Refuses to be one of several processes that a launcher has started: each would train a run of its own.</summary>
internal static class SingleProcess
{
    // What launchers tell their processes the number of them by, and how to start just one with each.
    private static readonly (string Variable, string StartOne)[] Launchers =
    [
        ("WORLD_SIZE", "start one process without torchrun"),
        ("OMPI_COMM_WORLD_SIZE", "start one process: `mpirun -n 1 espalier ...`"),
        ("SLURM_STEP_NUM_TASKS", "start one process: `srun -n 1 espalier ...`"),
    ];

    /// <summary>Looks at the environment before any work is done.</summary>
    /// <exception cref="UserErrorException">A launcher says that there are several processes.</exception>
    public static void Require() => Require(Environment.GetEnvironmentVariable);

    /// <summary>Looks at an environment.</summary>
    /// <param name="environment">Gives the value of a variable, or null.</param>
    /// <exception cref="UserErrorException">A launcher says that there are several processes.</exception>
    public static void Require(Func<string, string?> environment)
    {
        foreach ((string variable, string startOne) in Launchers)
        {
            if (long.TryParse(environment(variable), NumberStyles.Integer, CultureInfo.InvariantCulture, out long processes)
                && processes > 1)
            {
                throw new UserErrorException(
                    $"{variable} is {processes}: this looks like one of {processes} processes, each of which would train a run " +
                    "of its own. Only `espalier train` shares a run among processes.",
                    $"Either {startOne}; or, if this is the only process, say so: `{variable}=1 espalier ...`");
            }
        }
    }
}
