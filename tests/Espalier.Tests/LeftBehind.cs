using System.Diagnostics;

namespace Espalier.Tests;

/// <summary>Names that processes give to what is not whole yet.</summary>
internal static class LeftBehind
{
    private static readonly Lazy<int> Dead = new(() =>
    {
        using var process = Process.Start("true");
        process.WaitForExit();
        return process.Id;
    });

    /// <summary>The temporary name of a process: by default one of this machine that has ended.</summary>
    public static string Name(string? machine = null, int? process = null) =>
        TemporaryName.NameOf(machine ?? Environment.MachineName, process ?? Dead.Value, 999);
}
