using Espalier.Torch;

namespace Espalier.Optimization;

/// <summary>
/// Newton-Schulz iteration toward the nearest matrix whose singular values are 1: a polynomial of odd powers, so that singular
/// vectors stay as they are. Its coefficients raise small singular values fast and leave all within 0.3 or so of 1 (Jordan et al. 2024).
/// </summary>
internal static class NewtonSchulz
{
    private const int Steps = 5;
    private const double A = 3.4445, B = -4.7750, C = 2.0315;

    /// <summary>A matrix with its singular vectors and singular values near 1; zeros for zeros.</summary>
    /// <param name="matrix">float32, of any size but 0. On GPUs with fast bfloat16 the products run in it.</param>
    public static Tensor Orthogonal(Tensor matrix)
    {
        bool isLowered = matrix.Device.Type == DeviceType.Cuda && Engine.HasFastBFloat16(matrix.Device);
        bool isTall = matrix.Shape[0] > matrix.Shape[1];
        Tensor x = WithNorm1(isTall ? matrix.Transpose(0, 1) : matrix);
        x = isLowered ? x.To(ScalarType.BFloat16, x.Device) : x;
        for (int step = 0; step < Steps; step++)
        {
            Tensor square = x.MatMul(x.Transpose(0, 1));
            x = (x * A) + ((square * B) + (square.MatMul(square) * C)).MatMul(x);
        }

        x = isLowered ? x.To(ScalarType.Float32, x.Device) : x;
        return isTall ? x.Transpose(0, 1) : x;
    }

    /// <summary>The operations of its matrix products.</summary>
    public static double Flops(double rows, double columns)
    {
        double few = Math.Min(rows, columns), many = Math.Max(rows, columns);
        return Steps * ((4 * few * few * many) + (2 * few * few * few));
    }

    /// <summary>A tensor over its Euclidean norm; zeros for zeros.</summary>
    public static Tensor WithNorm1(Tensor tensor)
    {
        double norm = Optimizers.GlobalNorm([tensor]);
        return tensor * (norm > 0 ? 1 / norm : 0);
    }
}
