using Espalier.Optimization;
using Espalier.Torch;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Optimization;

public class NewtonSchulzTests
{
    /// <summary>Singular vectors stay; singular values go the polynomial's way, near 1.</summary>
    [Fact]
    public void SingularValuesComeNear1() => Prop.ForAll(
        (from rows in Gen.Choose(1, 24)
         from columns in Gen.Choose(1, 24)
         from seed in Gen.Choose(1, 1000)
         from values in Gen.ArrayOf(Gen.Choose(10, 100), Math.Min(rows, columns))
         select (rows, columns, seed, values)).ToArbitrary(),
        drawn =>
        {
            using var scope = new TensorScope();
            double norm = Math.Sqrt(drawn.values.Sum(value => (double)value * value));
            double[] made = [.. drawn.values.Select(value => AfterFiveSteps(value / norm))];
            Assert.All(made, value => Assert.InRange(value, 0.65, 1.25));
            Near.Equal(With(made), NewtonSchulz.Orthogonal(With([.. drawn.values.Select(value => (double)value)])), 2e-4);

            Tensor With(double[] values)
            {
                var diagonal = new float[drawn.rows * drawn.columns];
                for (int i = 0; i < values.Length; i++)
                {
                    diagonal[(i * drawn.columns) + i] = (float)values[i];
                }

                return Reflection(drawn.seed, drawn.rows)
                    .MatMul(Tensor.From<float>(diagonal, [drawn.rows, drawn.columns]))
                    .MatMul(Reflection(drawn.seed + 1, drawn.columns));
            }
        }).QuickCheckThrowOnFailure();

    /// <summary>Of an orthogonal matrix all singular values go the same way: it comes back, times one number.</summary>
    [Theory]
    [InlineData(1, 8)]
    [InlineData(300, 8)]
    [InlineData(1, 64)]
    public void AnOrthogonalMatrixComesBack(double size, int units)
    {
        Tensor reflection = Reflection(3, units);
        Near.Equal(reflection * AfterFiveSteps(1 / Math.Sqrt(units)), NewtonSchulz.Orthogonal(reflection * size), 1e-5);
    }

    [Fact]
    public void TheSizeOfAMatrixDoesNotMatterAndZerosStay()
    {
        Tensor matrix = Sample.Normal(4, 5, 9);
        Near.Equal(NewtonSchulz.Orthogonal(matrix), NewtonSchulz.Orthogonal(matrix * 1e-12), 1e-5);
        Near.Identical(Tensor.Zeros([5, 9]), NewtonSchulz.Orthogonal(Tensor.Zeros([5, 9])));
    }

    [Fact]
    public void AMatrixAndItsTransposeAreTreatedAlike()
    {
        Tensor matrix = Sample.Normal(5, 12, 7);
        Near.Equal(NewtonSchulz.Orthogonal(matrix).Transpose(0, 1), NewtonSchulz.Orthogonal(matrix.Transpose(0, 1)), 1e-6);
    }

    private static double AfterFiveSteps(double value)
    {
        for (int step = 0; step < 5; step++)
        {
            value = (3.4445 * value) - (4.7750 * Math.Pow(value, 3)) + (2.0315 * Math.Pow(value, 5));
        }

        return value;
    }

    /// <summary>1 - 2 v v^T, orthogonal for any v of length 1.</summary>
    private static Tensor Reflection(int seed, int units)
    {
        Tensor v = NewtonSchulz.WithNorm1(Sample.Normal(seed, units, 1));
        float[] identity = [.. Enumerable.Range(0, units * units).Select(i => i % (units + 1) == 0 ? 1f : 0f)];
        return Tensor.From<float>(identity, [units, units]) - (v.MatMul(v.Transpose(0, 1)) * 2);
    }
}
