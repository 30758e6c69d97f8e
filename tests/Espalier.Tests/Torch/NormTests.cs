using Espalier.Torch;
using static Espalier.Tests.Torch.KernelComparison;

namespace Espalier.Tests.Torch;

/// <summary>Layer norm and root-mean-square norm, whole and over open units.</summary>
public class NormTests
{
    [Theory]
    [MemberData(nameof(KernelComparison.Modes), MemberType = typeof(KernelComparison))]
    public void LayerNorm(int time, bool bf16, bool transposed)
    {
        // Far from mean 0, where variances computed the short way lose their digits.
        Tensor x = (Sample.Normal(1, 2, time, Hidden) * 2) + Tensor.Full([1], 10);
        Compare(
            t => Functional.LayerNorm(t[0], t[1], t[2], 1e-5), t => Normalized(t[0], 1e-5, Ones(Hidden)) * t[1] + t[2],
            [x, Sample.Normal(2, Hidden), Sample.Normal(3, Hidden)], bf16, transposed, singleTolerance: 5e-5);
    }

    [Fact]
    public void LayerNormOfAConstantRowIsItsBias()
    {
        Tensor bias = Sample.Normal(1, Hidden);
        Tensor y = Functional.LayerNorm(Tensor.Full([1, Hidden], 7), Sample.Normal(2, Hidden), bias, 1e-5);
        Near.Equal(bias.Reshape(1, Hidden), y, 1e-5);
    }

    /// <summary>Open, half open and closed units; what closes also gets no gradient.</summary>
    [Theory]
    [MemberData(nameof(KernelComparison.Modes), MemberType = typeof(KernelComparison))]
    public void MaskedLayerNorm(int time, bool bf16, bool transposed)
    {
        double[] shares = [.. Enumerable.Range(0, Hidden).Select(unit => unit < 9 ? 1 : unit < 15 ? 0.3f : 0.0)];
        Tensor exact = Tensor.From<double>(shares, [Hidden]), mask = exact.To(ScalarType.Float32, Device.Cpu);
        Tensor x = (Sample.Normal(1, 2, time, Hidden) * 2) + Tensor.Full([1], 10);
        Compare(
            t => Functional.LayerNorm(t[0], t[1], t[2], mask, 1e-5),
            t => ((Normalized(t[0], 1e-5, shares) * t[1]) + t[2]) * exact,
            [x, Sample.Normal(2, Hidden), Sample.Normal(3, Hidden)], bf16, transposed, singleTolerance: 5e-5);
    }

    [Fact]
    public void LayerNormOverOpenUnitsIsThePlainOneOfThem()
    {
        const int Open = 13;
        Tensor x = Sample.Normal(1, 7, Hidden), weight = Sample.Normal(2, Hidden), bias = Sample.Normal(3, Hidden);
        Near.Equal(
            Functional.LayerNorm(x, weight, bias, 1e-5),
            Functional.LayerNorm(x, weight, bias, Tensor.Full([Hidden], 1), 1e-5), 2e-6);

        Tensor mask = Tensor.From<float>([.. Enumerable.Range(0, Hidden).Select(unit => unit < Open ? 1f : 0)], [Hidden]);
        Tensor closed = Functional.LayerNorm(x, weight, bias, mask, 1e-5);
        Near.Equal(
            Functional.LayerNorm(First(x), First(weight), First(bias), 1e-5), First(closed), 2e-6);
        Assert.All(Near.Values(closed.Narrow(1, Open, Hidden - Open)), value => Assert.Equal(0, value));

        static Tensor First(Tensor tensor) => tensor.Narrow(-1, 0, Open);
    }

    [Theory]
    [MemberData(nameof(KernelComparison.Modes), MemberType = typeof(KernelComparison))]
    public void RmsNorm(int time, bool bf16, bool transposed) => Compare(
        t => Functional.RmsNorm(t[0], t[1], 1e-5),
        t => t[0] * InverseRoot(Averaged(t[0] * t[0], Ones(Hidden)), 1e-5) * t[1],
        [Sample.Normal(1, 2, time, Hidden) * 2, Sample.Normal(2, Hidden)], bf16, transposed);

    /// <summary>Open, half open and closed units; what closes also gets no gradient.</summary>
    [Theory]
    [MemberData(nameof(KernelComparison.Modes), MemberType = typeof(KernelComparison))]
    public void MaskedRmsNorm(int time, bool bf16, bool transposed)
    {
        double[] shares = [.. Enumerable.Range(0, Hidden).Select(unit => unit < 9 ? 1 : unit < 15 ? 0.3f : 0.0)];
        Tensor exact = Tensor.From<double>(shares, [Hidden]), mask = exact.To(ScalarType.Float32, Device.Cpu);
        Compare(
            t => Functional.RmsNorm(t[0], t[1], 1e-5, mask),
            t => t[0] * InverseRoot(Averaged(t[0] * t[0], shares), 1e-5) * t[1] * exact,
            [Sample.Normal(1, 2, time, Hidden) * 2, Sample.Normal(2, Hidden)], bf16, transposed);
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void RmsNormGivesTheGradientsThatAreAskedOfIt(bool ofInput, bool ofWeight)
    {
        Tensor upstream = Sample.Normal(9, 2, 7, Hidden);
        OnlyTheseGradients(
            t => (Functional.RmsNorm(t[0], t[1], 1e-5) * upstream).Sum(),
            [Sample.Normal(1, 2, 7, Hidden), Sample.Normal(2, Hidden)], [ofInput, ofWeight]);
    }

    private static IEnumerable<double> Ones(int count) => Enumerable.Repeat(1.0, count);

    /// <summary>Each unit counts by its share.</summary>
    private static Tensor Normalized(Tensor x, double epsilon, IEnumerable<double> shares)
    {
        Tensor centred = x - Averaged(x, shares);
        return centred * InverseRoot(Averaged(centred * centred, shares), epsilon);
    }

    private static Tensor Averaged(Tensor x, IEnumerable<double> shares)
    {
        double all = shares.Sum();
        return x.MatMul(Tensor.From<double>([.. shares.Select(share => share / all)], [x.Shape[^1], 1]));
    }

    /// <summary>1 / sqrt(v + epsilon) by Newton's iteration, which is elementary, from below the root for any v up to 300.</summary>
    private static Tensor InverseRoot(Tensor value, double epsilon)
    {
        Tensor shifted = value + Tensor.Full([1], epsilon, ScalarType.Float64);
        Tensor root = Tensor.Full(value.Shape, 0.1, ScalarType.Float64);
        for (int i = 0; i < 30; i++)
        {
            root = root * (Tensor.Full([1], 1.5, ScalarType.Float64) - (shifted * root * root * 0.5));
        }

        return root;
    }
}
