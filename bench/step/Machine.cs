using System.Runtime.InteropServices;
using Espalier.Torch;

namespace Espalier.Bench.Step;

/// <summary>What was measured on, and with which versions.</summary>
internal sealed record Machine(
    string Processor, int Cores, int Threads, string OperatingSystem, string DotNet, string Espalier, string Libtorch,
    string LibtorchPath, string VectorInstructions, string Blas, string BlasThreading, string Device)
{
    public static Machine Here(Device device) => new(
        ProcessorName(), Environment.ProcessorCount, Engine.Threads, RuntimeInformation.OSDescription,
        Environment.Version.ToString(), typeof(Growth.LayerMap).Assembly.GetName().Version!.ToString(3),
        Engine.TorchVersion, Engine.LibtorchPath, Engine.CpuCapability, Engine.BlasConfig, Engine.BlasThreading,
        device.ToString());

    public string ToMarkdown() =>
        $"""
        - Hardware: {Processor}, {Cores} cores, {Threads} threads used; device {Device}
        - System: {OperatingSystem}; .NET {DotNet}; Espalier {Espalier}
        - Engine: libtorch {Libtorch} ({VectorInstructions}); BLAS {(Blas.Length > 0 ? Blas.Trim() : "not OpenBLAS")}, threads: {BlasThreading}
        """;

    private static string ProcessorName()
    {
        const string CpuInfo = "/proc/cpuinfo", Label = "model name";
        string? line = File.Exists(CpuInfo)
            ? File.ReadLines(CpuInfo).FirstOrDefault(text => text.StartsWith(Label, StringComparison.Ordinal))
            : null;
        return line?.Split(':', 2)[1].Trim() ?? RuntimeInformation.ProcessArchitecture.ToString();
    }
}
