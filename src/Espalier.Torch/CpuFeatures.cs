namespace Espalier.Torch;

/// <summary>Instructions of this processor that libtorch chooses by.</summary>
internal static class CpuFeatures
{
    /// <summary>Whether it multiplies bfloat16 in hardware: AVX512-BF16 or AMX-BF16.</summary>
    internal static bool HasBFloat16 { get; } = Flags().Overlaps(["avx512_bf16", "amx_bf16"]);

    /// <summary>Whether it has the parts of AVX-512 that libtorch's loops use.</summary>
    internal static bool HasAvx512 { get; } = Flags().IsSupersetOf(["avx512f", "avx512bw", "avx512dq", "avx512vl"]);

    private static HashSet<string> Flags()
    {
        const string CpuInfo = "/proc/cpuinfo";
        string? line = File.Exists(CpuInfo)
            ? File.ReadLines(CpuInfo).FirstOrDefault(text => text.StartsWith("flags", StringComparison.Ordinal))
            : null;
        return [.. line?.Split(' ') ?? []];
    }
}
