using System.Runtime.InteropServices;
using Espalier.Torch;

namespace Espalier.Bench.Step;

/// <summary>What was measured on, and with which versions.</summary>
internal sealed record Machine(
    string Processor, int Cores, int Threads, string OperatingSystem, string DotNet, string Espalier, string Libtorch,
    string LibtorchPath, string VectorInstructions, string Blas, string BlasThreading, string Device)
{
    public static Machine Here(Device device) => new(
        Torch.Processor.Name, Environment.ProcessorCount, Engine.Threads, RuntimeInformation.OSDescription,
        Environment.Version.ToString(), typeof(Growth.LayerMap).Assembly.GetName().Version!.ToString(3),
        Engine.TorchVersion, Engine.LibtorchPath, Engine.CpuCapability, Engine.BlasConfig, Engine.BlasThreading,
        device.ToString());

    public string ToMarkdown() =>
        $"""
        - Hardware: {Processor}, {Cores} cores, {Threads} threads used; device {Device}
        - System: {OperatingSystem}; .NET {DotNet}; Espalier {Espalier}
        - Engine: libtorch {Libtorch} ({VectorInstructions}); BLAS {(Blas.Length > 0 ? Blas.Trim() : "not OpenBLAS")}, threads: {BlasThreading}
        """;
}
