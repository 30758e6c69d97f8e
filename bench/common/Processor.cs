using System.Runtime.InteropServices;

namespace Espalier.Bench;

/// <summary>The processor that a benchmark runs on.</summary>
internal static class Processor
{
    /// <summary>Its name as the system gives it.</summary>
    public static string Name { get; } = ReadName();

    private static string ReadName()
    {
        const string CpuInfo = "/proc/cpuinfo", Label = "model name";
        string? line = File.Exists(CpuInfo)
            ? File.ReadLines(CpuInfo).FirstOrDefault(text => text.StartsWith(Label, StringComparison.Ordinal))
            : null;
        return line?.Split(':', 2)[1].Trim() ?? RuntimeInformation.ProcessArchitecture.ToString();
    }
}
