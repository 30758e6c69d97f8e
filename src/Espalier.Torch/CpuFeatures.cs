namespace Espalier.Torch;

/// <summary>Instructions of this processor that libtorch chooses by.</summary>
internal static class CpuFeatures
{
    /// <summary>Whether it multiplies bfloat16 in hardware: AVX512-BF16 or AMX-BF16.</summary>
    internal static bool HasBFloat16 { get; } = Flags().Overlaps(["avx512_bf16", "amx_bf16"]);

    /// <summary>Whether it has the parts of AVX-512 that libtorch's loops use.</summary>
    internal static bool HasAvx512 { get; } = Flags().IsSupersetOf(["avx512f", "avx512bw", "avx512dq", "avx512vl"]);

    /// <summary>Whether the environment leaves oneDNN the instructions for bfloat16.</summary>
    /// <param name="variable">Gives the value of a variable, or null.</param>
    internal static bool AllowsBFloat16(Func<string, string?> variable) =>
        (variable("ONEDNN_MAX_CPU_ISA") ?? variable("DNNL_MAX_CPU_ISA"))?.ToUpperInvariant() is not string most
        || most is "" or "ALL" or "DEFAULT" || most.Contains("BF16", StringComparison.Ordinal)
        || most.Contains("FP16", StringComparison.Ordinal) || most.Contains("AMX", StringComparison.Ordinal)
        || most.StartsWith("AVX10", StringComparison.Ordinal);

    private static HashSet<string> Flags() => [.. Processor.Value("flags")?.Split(' ') ?? []];
}
