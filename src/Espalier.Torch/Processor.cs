using System.Runtime.InteropServices;

namespace Espalier.Torch;

/// <summary>What the system says of its processor.</summary>
public static class Processor
{
    /// <summary>Its name as the processor gives it; its architecture where the system does not tell.</summary>
    public static string Name { get; } = Value("model name") ?? RuntimeInformation.ProcessArchitecture.ToString();

    /// <summary>The value of a label in /proc/cpuinfo, of the first core; null where there is none.</summary>
    internal static string? Value(string label)
    {
        const string CpuInfo = "/proc/cpuinfo";
        string? line = File.Exists(CpuInfo)
            ? File.ReadLines(CpuInfo).FirstOrDefault(text => text.StartsWith(label, StringComparison.Ordinal))
            : null;
        return line?.Split(':', 2)[^1].Trim();
    }
}
