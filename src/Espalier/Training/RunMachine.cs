using System.Globalization;
using System.Reflection;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Training;

/// <summary>What computes a run.</summary>
/// <param name="Host">The machine's name.</param>
/// <param name="Processor">Its processor, as it calls itself.</param>
/// <param name="Instructions">The vector instructions that libtorch's loops use.</param>
/// <param name="Device">The device that the recipe's came to.</param>
/// <param name="Precision">The precision that the recipe's came to: bf16 or f32.</param>
/// <param name="Threads">The threads of one operation.</param>
/// <param name="Libtorch">The libtorch in use.</param>
/// <param name="Blas">The library of matrix products on the processor.</param>
/// <param name="Espalier">The version, and after a plus sign the commit that it was built from.</param>
internal sealed record RunMachine(
    string Host, string Processor, string Instructions, string Device, string Precision, int Threads, LibtorchInfo Libtorch, BlasInfo Blas, string Espalier)
{
    /// <summary>The processes that train it.</summary>
    public int Ranks { get; init; } = 1;

    /// <summary>This machine.</summary>
    /// <param name="compute">Where the run computes.</param>
    /// <param name="ranks">The processes that train it.</param>
    public static RunMachine Here(Compute compute, int ranks = 1) => new(
        Environment.MachineName, Torch.Processor.Name, Engine.CpuCapability, compute.Device.ToString(), compute.Bf16 ? "bf16" : "f32", Engine.Threads,
        new LibtorchInfo(Engine.TorchVersion, Engine.LibtorchPath), new BlasInfo(Engine.BlasPath, Engine.BlasConfig, Engine.BlasThreading), Version())
    {
        Ranks = ranks,
    };

    /// <summary>What is not as it was before, and may change the order of sums, and with it the last bits of weights.</summary>
    /// <param name="before">What computed the run before.</param>
    public IEnumerable<string> DifferencesFrom(RunMachine before) =>
        new (string Name, string Before, string Now)[]
        {
            ("device", before.Device, Device),
            ("precision", before.Precision, Precision),
            ("ranks", before.Ranks.ToString(CultureInfo.InvariantCulture), Ranks.ToString(CultureInfo.InvariantCulture)),
            ("threads", before.Threads.ToString(CultureInfo.InvariantCulture), Threads.ToString(CultureInfo.InvariantCulture)),
            ("processor", before.Processor, Processor),
            ("instructions", before.Instructions, Instructions),
            ("libtorch", before.Libtorch.Version, Libtorch.Version),
            ("BLAS", before.Blas.Config.Length > 0 ? before.Blas.Config : before.Blas.Path, Blas.Config.Length > 0 ? Blas.Config : Blas.Path),
        }
        .Where(part => part.Before != part.Now)
        .Select(part => $"{part.Name} {part.Now} (before: {part.Before})");

    private static string Version() =>
        typeof(RunMachine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";
}
