using System.Diagnostics;

namespace Espalier.Torch;

/// <summary>How fast square matrices are multiplied, in 1e9 floating-point operations a second.</summary>
/// <param name="Size">The rows and columns of the matrices.</param>
/// <param name="F32Gflops">In single precision.</param>
/// <param name="Bf16Gflops">In bfloat16.</param>
public sealed record MatMulRate(int Size, double F32Gflops, double Bf16Gflops)
{
    private static readonly TimeSpan Each = TimeSpan.FromSeconds(0.5);

    /// <summary>Measures both number formats on a device; the best of several rounds, as others may be at work.</summary>
    public static MatMulRate Measure(Device device)
    {
        // A GPU is not busy with less.
        int size = device.Type == DeviceType.Cuda ? 4096 : 1024;
        return new MatMulRate(size, Gflops(size, ScalarType.Float32, device), Gflops(size, ScalarType.BFloat16, device));
    }

    private static double Gflops(int size, ScalarType type, Device device)
    {
        using var scope = new TensorScope();
        using var noGrad = new NoGrad();
        Tensor a = Tensor.Full([size, size], 0.5, type, device);
        Tensor b = Tensor.Full([size, size], 0.25, type, device);
        double flops = 2.0 * size * size * size, best = Seconds();
        for (var total = Stopwatch.StartNew(); total.Elapsed < Each;)
        {
            best = Math.Min(best, Seconds());
        }

        return flops / best / 1e9;

        double Seconds()
        {
            Engine.Synchronize(device);
            long start = Stopwatch.GetTimestamp();
            using Tensor product = a.MatMul(b);
            Engine.Synchronize(device);
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
    }
}
