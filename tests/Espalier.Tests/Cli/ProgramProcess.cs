using System.Diagnostics;

namespace Espalier.Tests.Cli;

/// <summary>The command line as a process of its own.</summary>
internal static class ProgramProcess
{
    /// <summary>The one that runs the tests, which need not be on the PATH.</summary>
    public static readonly string DotNet =
        Environment.ProcessPath is string path && Path.GetFileName(path) == "dotnet" ? path : "dotnet";

    /// <summary>What it is to run.</summary>
    public static readonly string CommandLineProgram = Path.Combine(AppContext.BaseDirectory, "Espalier.Cli.dll");

    /// <summary>Starts a command with one thread and streams that the test reads.</summary>
    public static Process Start(string[] command, params (string Name, string Value)[] variables) => StartIn("", command, variables);

    /// <summary>The same in a folder.</summary>
    public static Process StartIn(string folder, string[] command, params (string Name, string Value)[] variables)
    {
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            WorkingDirectory = folder,
        };
        start.Environment["OMP_NUM_THREADS"] = "1";
        foreach ((string name, string value) in variables)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    /// <summary>Waits for the end: the exit code, and what stdout and stderr have said.</summary>
    public static (int Code, string Said) End(Process process)
    {
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        process.WaitForExit();
        return (process.ExitCode, output.Result + error.Result);
    }
}
