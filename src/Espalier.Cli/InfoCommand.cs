using System.CommandLine;
using System.Globalization;
using Espalier.Torch;

namespace Espalier.Cli;

/// <summary><c>espalier info</c>.</summary>
internal static class InfoCommand
{
    public static Verb Create()
    {
        var json = new Option<bool>("--json") { Description = "Print JSON." };
        var command = new Verb(
            "info",
            "Says which libtorch, BLAS, threads, precision and devices are in use, and how fast matrix products run here.")
        {
            json,
        };
        command.SetAction(parsed =>
        {
            EngineInfo info = EngineInfo.Measure();
            if (parsed.GetValue(json))
            {
                JsonOutput.Print(info);
            }
            else
            {
                Print(info);
            }

            foreach (string warning in info.Warnings)
            {
                Console.Error.WriteLine($"warning: {warning}");
            }

            return 0;
        });
        return command;
    }

    private static void Print(EngineInfo info)
    {
        Line("libtorch", $"{info.Libtorch.Version}  {info.Libtorch.Path}");
        Line("BLAS", $"{info.Blas.Path}");
        Line("", $"{(info.Blas.Config.Length > 0 ? info.Blas.Config : "not OpenBLAS")}, threads: {info.Blas.Threading}");
        Line("threads", $"{info.Threads}");
        Line("processor", $"{info.CpuCapability}, bf16 in hardware: {(info.CpuBf16 ? "yes" : "no")}");
        Line("CUDA devices", $"{info.CudaDevices}");
        Line("device", $"auto chooses {info.Device}");
        Line("precision", $"auto chooses {info.Precision}");
        MatMulRate matMul = info.MatMul;
        Line("matmul", $"{matMul.Size} x {matMul.Size} on {info.Device}: f32 {matMul.F32Gflops:F0} GFLOP/s, bf16 {matMul.Bf16Gflops:F0} GFLOP/s");

        static void Line(string name, FormattableString text) =>
            Console.Out.WriteLine($"{name,-14}{text.ToString(CultureInfo.InvariantCulture)}");
    }
}
