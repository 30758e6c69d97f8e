using System.Globalization;

using static Espalier.Torch.Native;

namespace Espalier.Torch;

/// <summary>The libtorch in use, and its process-wide settings.</summary>
public static unsafe class Engine
{
    // With more than the system grants, OpenMP ends the process in the middle of the first operation.
    private const int MostThreads = 1024;

    /// <summary>The number of threads to start with: OMP_NUM_THREADS, or the processors that this process may use.</summary>
    /// <exception cref="TorchException">OMP_NUM_THREADS asks for more than there is any use for.</exception>
    public static int DefaultThreads =>
        !int.TryParse(
            Environment.GetEnvironmentVariable("OMP_NUM_THREADS"), NumberStyles.None, CultureInfo.InvariantCulture,
            out int threads) || threads <= 0 ? Environment.ProcessorCount
        : threads <= Math.Max(MostThreads, Environment.ProcessorCount) ? threads
        : throw new TorchException(
            $"OMP_NUM_THREADS is {threads}, and {MostThreads} threads are the most. HINT: this process may use {Environment.ProcessorCount} processors");

    /// <summary>The threads that one operation uses.</summary>
    public static int Threads
    {
        get => esp_get_threads();
        set => Check(esp_set_threads(value));
    }

    /// <summary>The version of libtorch.</summary>
    public static string TorchVersion => Text(esp_torch_version());

    /// <summary>The file that libtorch was loaded from.</summary>
    public static string LibtorchPath => Text(esp_libtorch_path());

    /// <summary>The vector instructions that libtorch's own loops use.</summary>
    public static string CpuCapability => Text(esp_cpu_capability());

    /// <summary>The file that matrix products in single precision run from.</summary>
    public static string BlasPath => Text(esp_blas_path());

    /// <summary>What OpenBLAS says of itself; empty with another BLAS.</summary>
    public static string BlasConfig => OpenBlasConfig.Value;

    // OpenBLAS puts the text together anew at each call, in one place of memory for all threads.
    private static readonly Lazy<string> OpenBlasConfig = new(() => Text(esp_blas_config()));

    /// <summary>How OpenBLAS makes threads: "OpenMP" agrees with libtorch, "pthread" fights it.</summary>
    public static string BlasThreading => esp_blas_threading() switch
    {
        2 => "OpenMP",
        1 => "pthread",
        0 => "none",
        _ => "unknown",
    };

    /// <summary>The NVIDIA GPUs that libtorch sees.</summary>
    public static int CudaDeviceCount => esp_cuda_device_count();

    /// <summary>Whether a device multiplies bfloat16 matrices faster than single precision ones.</summary>
    public static bool HasFastBFloat16(Device device) =>
        device.Type == DeviceType.Cuda || (CpuFeatures.HasBFloat16 && CpuMultipliesBFloat16.Value);

    // The system lists what the processor has; what multiplies may have been told to use less (ONEDNN_MAX_CPU_ISA), or run on an
    // emulated processor that has less: then bfloat16 is many times as slow as single precision.
    private static readonly Lazy<bool> CpuMultipliesBFloat16 = new(() => esp_onednn_bfloat16() switch
    {
        >= 0 and int asked => asked != 0,
        _ => esp_cpu_bfloat16() != 0 && CpuFeatures.AllowsBFloat16(Environment.GetEnvironmentVariable),
    });

    /// <summary>Seeds libtorch's own generators, which dropout draws from.</summary>
    public static void ManualSeed(ulong seed) => Check(esp_manual_seed(seed));

    /// <summary>Where the random numbers of a device stand, for <see cref="SetRandomState"/>.</summary>
    public static Tensor RandomState(Device device) => Check(esp_random_state(device.Type, device.Index));

    /// <summary>Draws on from where the random numbers of a device once stood.</summary>
    /// <param name="state">From <see cref="RandomState"/>.</param>
    /// <param name="device">The same device.</param>
    public static void SetRandomState(Tensor state, Device device) => Check(esp_set_random_state(state, device.Type, device.Index));

    /// <summary>Waits until a device has done all its work.</summary>
    public static void Synchronize(Device device) => Check(esp_synchronize(device.Type, device.Index));
}
