using System.Text.Json.Serialization;

namespace Espalier.Torch;

/// <summary>What computes here, and how fast.</summary>
/// <param name="Libtorch">The libtorch in use.</param>
/// <param name="Blas">The library of matrix products on the processor.</param>
/// <param name="Threads">The threads that one operation uses.</param>
/// <param name="CpuCapability">The vector instructions that libtorch's own loops use.</param>
/// <param name="CpuBf16">Whether the processor multiplies bfloat16 in hardware.</param>
/// <param name="CudaDevices">The NVIDIA GPUs that libtorch sees.</param>
/// <param name="Device">The device that <c>auto</c> chooses.</param>
/// <param name="Precision">The precision that <c>auto</c> chooses there: bf16 or f32.</param>
/// <param name="MatMul">How fast it multiplies matrices.</param>
/// <param name="Warnings">What makes it needlessly slow, each with its remedy.</param>
public sealed record EngineInfo(
    LibtorchInfo Libtorch,
    BlasInfo Blas,
    int Threads,
    string CpuCapability,
    bool CpuBf16,
    int CudaDevices,
    string Device,
    string Precision,
    [property: JsonPropertyName("matmul")] MatMulRate MatMul,
    IReadOnlyList<string> Warnings)
{
    /// <summary>Asks libtorch, and measures for about a second.</summary>
    public static EngineInfo Measure()
    {
        Device device = Espalier.Torch.Device.Best;
        var blas = new BlasInfo(Engine.BlasPath, Engine.BlasConfig, Engine.BlasThreading);
        return new EngineInfo(
            new LibtorchInfo(Engine.TorchVersion, Engine.LibtorchPath),
            blas,
            Engine.Threads,
            Engine.CpuCapability,
            Engine.HasFastBFloat16(Espalier.Torch.Device.Cpu),
            Engine.CudaDeviceCount,
            device.ToString(),
            Engine.HasFastBFloat16(device) ? "bf16" : "f32",
            MatMulRate.Measure(device),
            Warning(blas) is string warning ? [warning] : []);
    }

    // Only the system's libtorch takes the system's BLAS.
    private const string Remedy =
        "With the libtorch of Debian or Ubuntu: sudo apt-get install libopenblas0-openmp, delete build, and build again. " +
        "With another: one whose OpenBLAS was built for OpenMP.";

    /// <summary>What makes matrix products needlessly slow, and the remedy; null where all is well.</summary>
    internal static string? Warning(BlasInfo blas) => blas.Threading switch
    {
        "pthread" =>
            "this OpenBLAS makes its own threads, which fight libtorch's: training takes up to three times as long. " + Remedy,
        "none" => "this OpenBLAS uses one thread only. " + Remedy,
        _ => null,
    };
}

/// <summary>The libtorch in use.</summary>
/// <param name="Version">Its version.</param>
/// <param name="Path">The file it was loaded from.</param>
public sealed record LibtorchInfo(string Version, string Path);

/// <summary>The library of matrix products on the processor.</summary>
/// <param name="Path">The file it was loaded from.</param>
/// <param name="Config">What OpenBLAS says of itself; empty with another one.</param>
/// <param name="Threading">How OpenBLAS makes threads: OpenMP, pthread or none; else unknown.</param>
public sealed record BlasInfo(string Path, string Config, string Threading);
