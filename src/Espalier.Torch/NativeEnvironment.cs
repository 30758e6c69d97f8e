using System.Runtime.InteropServices;

namespace Espalier.Torch;

/// <summary>
/// Settings that libtorch and its libraries read from the environment when they are loaded, and that .NET's own
/// environment does not reach. What the user has set stays.
/// </summary>
internal static partial class NativeEnvironment
{
    /// <summary>Sets what makes libtorch fast here; to be called before it is loaded.</summary>
    internal static void Prepare()
    {
        if (CpuFeatures.HasAvx512)
        {
            // libtorch 1.13 stays with AVX2 unless told: a training step then takes a quarter longer.
            SetDefault("ATEN_CPU_CAPABILITY", "avx512");
        }

        // Debian 13's libtorch brings UCX along, which takes over signals that .NET makes exceptions of: a null reference
        // (SEGV) or a division by zero (FPE) would end the process.
        SetDefault("UCX_ERROR_SIGNALS", "SIGILL,SIGBUS");

        // Threads that wait for each other give the processor away after a moment: with libgomp's own default a step
        // takes ten times as long as soon as another program wants a core.
        SetDefault("GOMP_SPINCOUNT", "10000");
    }

    private static void SetDefault(string name, string value) => _ = SetEnvironment(name, value, 0);

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);
}
