using Espalier.Torch;

namespace Espalier.SelfTest;

/// <summary>One thing that was computed and held against what it should be.</summary>
/// <param name="Name">What it was.</param>
/// <param name="Precision">"f32" or "bf16".</param>
/// <param name="Deviation">The largest, as a share of the largest expected value; NaN where something was no number.</param>
/// <param name="Tolerance">What is allowed.</param>
public sealed record SelfTestCheck(string Name, string Precision, double Deviation, double Tolerance)
{
    // Below this, values count as noise around zero.
    private const double Floor = 1e-3;

    /// <summary>Whether the deviation is allowed; NaN never is.</summary>
    public bool Passed => Deviation <= Tolerance;

    /// <summary>
    /// The largest deviation of some tensors, each as a share of its largest expected value; NaN where a shape is another.
    /// </summary>
    internal static double LargestDeviation(IEnumerable<(Tensor Expected, Tensor Actual)> pairs) =>
        pairs.Aggregate(0.0, (worst, pair) => Math.Max(worst, pair.Expected.Shape.SequenceEqual(pair.Actual.Shape)
            ? Deviates(Values(pair.Expected), Values(pair.Actual))
            : double.NaN));

    /// <summary>The largest deviation as a share of the largest expected value.</summary>
    internal static double Deviates(ReadOnlySpan<double> expected, ReadOnlySpan<double> actual)
    {
        if (expected.Length != actual.Length)
        {
            return double.NaN;
        }

        double scale = Floor, worst = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            scale = Math.Max(scale, Math.Abs(expected[i]));
            worst = Math.Max(worst, Math.Abs(expected[i] - actual[i]));
        }

        return worst / scale;
    }

    /// <summary>The elements of a tensor, row by row.</summary>
    internal static double[] Values(Tensor tensor) => tensor.To(ScalarType.Float64, Device.Cpu).ToArray<double>();
}
