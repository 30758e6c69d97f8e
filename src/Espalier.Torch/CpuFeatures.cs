namespace Espalier.Torch;

/// <summary>Instructions of this processor that .NET does not report.</summary>
internal static class CpuFeatures
{
    /// <summary>Whether it multiplies bfloat16 in hardware: AVX512-BF16 or AMX-BF16.</summary>
    internal static bool HasBFloat16 { get; } = Flags().Overlaps(["avx512_bf16", "amx_bf16"]);

    private static HashSet<string> Flags()
    {
        const string CpuInfo = "/proc/cpuinfo";
        string? line = File.Exists(CpuInfo)
            ? File.ReadLines(CpuInfo).FirstOrDefault(text => text.StartsWith("flags", StringComparison.Ordinal))
            : null;
        return [.. line?.Split(' ') ?? []];
    }
}
