using System.Globalization;
using Espalier.Torch;

namespace Espalier.Tests;

/// <summary>Equality up to rounding.</summary>
internal static class Near
{
    /// <summary>The elements of a tensor of floating-point numbers, row by row.</summary>
    public static double[] Values(Tensor tensor) => tensor.To(ScalarType.Float64, Device.Cpu).ToArray<double>();

    /// <summary>
    /// Same shape, and no element further off than the tolerance times the largest expected one, which counts as
    /// <paramref name="floor"/> at least.
    /// </summary>
    public static void Equal(Tensor expected, Tensor actual, double tolerance, string what = "", double floor = 1e-3)
    {
        Assert.Equal(expected.Shape, actual.Shape);
        Equal(Values(expected), Values(actual), tolerance, what, floor);
    }

    /// <inheritdoc cref="Equal(Tensor, Tensor, double, string, double)"/>
    public static void Equal(
        IReadOnlyList<double> expected, IReadOnlyList<double> actual, double tolerance, string what = "",
        double floor = 1e-3)
    {
        Assert.Equal(expected.Count, actual.Count);
        double allowed = tolerance * Math.Max(floor, expected.Select(Math.Abs).DefaultIfEmpty().Max());
        for (int i = 0; i < expected.Count; i++)
        {
            // Written so that NaN fails.
            if (!(Math.Abs(expected[i] - actual[i]) <= allowed))
            {
                Assert.Fail(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{what}[{i}]: expected {expected[i]:R}, actual {actual[i]:R}, more than {allowed:E1} apart"));
            }
        }
    }

    /// <summary>The length of the difference, of that of the expected.</summary>
    public static double RelativeError(Tensor expected, Tensor actual)
    {
        double[] exact = Values(expected);
        return Length(exact.Zip(Values(actual), (a, b) => a - b)) / Length(exact);

        static double Length(IEnumerable<double> values) => Math.Sqrt(values.Sum(value => value * value));
    }

    /// <summary>The same type, shape and bits.</summary>
    public static void Identical(Tensor expected, Tensor actual, string what = "")
    {
        Assert.Equal((expected.Type, string.Join(',', expected.Shape)), (actual.Type, string.Join(',', actual.Shape)));
        Assert.True(Bytes(expected).AsSpan().SequenceEqual(Bytes(actual)), $"{what}: the bits differ");
    }

    /// <summary>The elements' bytes, row by row.</summary>
    public static byte[] Bytes(Tensor tensor)
    {
        var bytes = new byte[tensor.ByteLength];
        tensor.CopyBytesTo(bytes);
        return bytes;
    }
}
