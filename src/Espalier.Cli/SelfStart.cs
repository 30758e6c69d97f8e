using System.Diagnostics;

namespace Espalier.Cli;

/// <summary>This program as a process of its own.</summary>
internal static class SelfStart
{
    /// <summary>How to start it with some arguments.</summary>
    public static ProcessStartInfo Info(IEnumerable<string> arguments)
    {
        string program = Environment.ProcessPath!;
        var info = new ProcessStartInfo(program);

        // Started as `dotnet Espalier.Cli.dll`, the program is dotnet.
        if (Path.GetFileNameWithoutExtension(program) == "dotnet")
        {
            info.ArgumentList.Add(typeof(SelfStart).Assembly.Location);
        }

        foreach (string argument in arguments)
        {
            info.ArgumentList.Add(argument);
        }

        return info;
    }
}
