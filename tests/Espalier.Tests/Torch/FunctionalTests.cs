using Espalier.Torch;
using static Espalier.Tests.Torch.KernelComparison;

namespace Espalier.Tests.Torch;

/// <summary>Linear layers, gates, activations and embeddings.</summary>
public class FunctionalTests
{
    [Theory]
    [MemberData(nameof(KernelComparison.Modes), MemberType = typeof(KernelComparison))]
    public void Linear(int time, bool bf16, bool transposed)
    {
        Tensor x = Sample.Normal(1, 2, time, Hidden), weight = Sample.Normal(2, Hidden, 3 * Hidden) * 0.2, bias = Sample.Normal(3, 3 * Hidden);
        Compare(t => Functional.Linear(t[0], t[1], t[2]), t => t[0].MatMul(t[1]) + t[2], [x, weight, bias], bf16, transposed);
        Compare(t => Functional.Linear(t[0], t[1], Tensor.None), t => t[0].MatMul(t[1]), [x, weight], bf16, transposed);
        Compare(
            t => Functional.Linear(t[0], t[1], Tensor.None, transposed: true), t => t[0].MatMul(t[1].Transpose(0, 1)),
            [x, weight.Transpose(0, 1).Clone()], bf16, transposed);
    }

    /// <summary>A single row, as generation has it, goes through a product of its own in bfloat16; 300 columns are two blocks.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void LinearOfASingleRow(bool bf16)
    {
        foreach ((int inputs, int outputs) in new[] { (1, 1), (7, 300), (64, 33) })
        {
            Tensor x = Sample.Normal(1, 1, inputs), bias = Sample.Normal(3, outputs);
            Tensor weight = Sample.Normal(2, inputs, outputs), swapped = Sample.Normal(2, outputs, inputs);
            Compare(t => Functional.Linear(t[0], t[1], t[2]), t => t[0].MatMul(t[1]) + t[2], [x, weight, bias], bf16, transposed: false);
            Compare(
                t => Functional.Linear(t[0], t[1], t[2], transposed: true), t => t[0].MatMul(t[1].Transpose(0, 1)) + t[2],
                [x, swapped, bias], bf16, transposed: false);
        }
    }

    /// <summary>A weight that lies in the type of the products is taken as it is.</summary>
    [Fact]
    public void LinearOfALoweredWeight()
    {
        Tensor x = Sample.Normal(1, 2, 7, Hidden), weight = Sample.Normal(2, Hidden, 5), bias = Sample.Normal(3, 5);
        using var _ = new Autocast(Device.Cpu);
        Near.Identical(
            Functional.Linear(x, weight, bias), Functional.Linear(x, weight.To(ScalarType.BFloat16, Device.Cpu), bias));
    }

    [Fact]
    public void LinearTakesAnyNumberOfLeadingAxes()
    {
        Tensor weight = Sample.Normal(1, 3, 4);
        Assert.Equal([4], Functional.Linear(Sample.Normal(2, 3), weight, Tensor.None).Shape);
        Assert.Equal([2, 5, 1, 4], Functional.Linear(Sample.Normal(2, 2, 5, 1, 3), weight, Tensor.None).Shape);
        Assert.Equal([0, 4], Functional.Linear(Tensor.Zeros([0, 3]), weight, Tensor.None).Shape);
    }

    [Theory]
    [MemberData(nameof(KernelComparison.Modes), MemberType = typeof(KernelComparison))]
    public void SiluGate(int time, bool bf16, bool transposed) => Compare(
        t => Functional.SiluGate(t[0], t[1]),
        t => t[0] * ((t[0] * 0.5).Tanh() + Tensor.Full([1], 1, ScalarType.Float64)) * 0.5 * t[1],
        [Sample.Normal(1, 2, time, Hidden) * 3, Sample.Normal(2, 2, time, Hidden)], bf16, transposed);

    [Theory]
    [MemberData(nameof(KernelComparison.Modes), MemberType = typeof(KernelComparison))]
    public void GeluByTanh(int time, bool bf16, bool transposed)
    {
        Compare(t => Functional.Gelu(t[0], tanhApproximation: true), t => GeluTanh(t[0]), [Sample.Normal(1, 2, time, Hidden) * 3], bf16, transposed);

        static Tensor GeluTanh(Tensor x)
        {
            Tensor inner = (x + (x * x * x * 0.044715)) * Math.Sqrt(2 / Math.PI);
            return x * (inner.Tanh() + Tensor.Full([1], 1, ScalarType.Float64)) * 0.5;
        }
    }

    /// <summary>x times the normal distribution function, which Simpson's rule integrates.</summary>
    [Fact]
    public void GeluExactly()
    {
        double[] points = [-6, -2.5, -1, -0.1, 0, 0.3, 1, 2, 7];
        Tensor x = Tensor.From<float>([.. points.Select(point => (float)point)], [points.Length]);
        x.RequiresGrad = true;
        Tensor y = Functional.Gelu(x, tanhApproximation: false);
        y.Sum().Backward();
        Near.Equal([.. points.Select(p => p * Distribution(p))], Near.Values(y), 1e-6);
        Near.Equal([.. points.Select(p => Distribution(p) + (p * Density(p)))], Near.Values(x.Grad!), 1e-6);

        static double Density(double x) => Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI);

        static double Distribution(double x)
        {
            const int Intervals = 2000;
            double width = x / Intervals;
            double sum = Enumerable.Range(0, Intervals + 1).Sum(i =>
                Density(i * width) * (i is 0 or Intervals ? 1 : i % 2 == 1 ? 4 : 2));
            return 0.5 + (sum * width / 3);
        }
    }

    [Theory]
    [MemberData(nameof(KernelComparison.Frozen), MemberType = typeof(KernelComparison))]
    public void LinearGivesTheGradientsThatAreAskedOfIt(bool ofInput, bool ofWeight, bool ofBias)
    {
        Tensor upstream = Sample.Normal(9, 2, 7, 5);
        OnlyTheseGradients(
            t => (Functional.Linear(t[0], t[1], t[2]) * upstream).Sum(),
            [Sample.Normal(1, 2, 7, Hidden), Sample.Normal(2, Hidden, 5), Sample.Normal(3, 5)], [ofInput, ofWeight, ofBias]);
    }

    /// <summary>
    /// What the backward pass would multiply is not even kept, so that it may change: libtorch refuses a backward pass whose
    /// memory has changed.
    /// </summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void LinearKeepsItsInputOnlyForAWeightThatTrains(bool trains)
    {
        Tensor x = Leaf(Sample.Normal(1, 7, Hidden)) * 1, weight = Sample.Normal(2, Hidden, 5);
        weight.RequiresGrad = trains;
        Tensor loss = Functional.Linear(x, weight, Leaf(Sample.Normal(3, 5))).Sum();
        x.Fill(0);
        if (trains)
        {
            Assert.Contains("modified by an inplace operation", Assert.Throws<TorchException>(loss.Backward).Message, StringComparison.Ordinal);
        }
        else
        {
            loss.Backward();
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void LinearKeepsItsWeightOnlyForAnInputWithAGradient(bool passes)
    {
        Tensor x = Sample.Normal(1, 7, Hidden), weight = Leaf(Sample.Normal(2, Hidden, 5));
        x.RequiresGrad = passes;
        Tensor loss = Functional.Linear(x, weight, Leaf(Sample.Normal(3, 5))).Sum();
        weight.Fill(0);
        if (passes)
        {
            Assert.Contains("modified by an inplace operation", Assert.Throws<TorchException>(loss.Backward).Message, StringComparison.Ordinal);
        }
        else
        {
            loss.Backward();
        }
    }

    [Fact]
    public void EmbeddingSumsTheGradientsOfRepeatedRows()
    {
        Tensor table = Leaf(Sample.Normal(1, 5, 3));
        Tensor indices = Tensor.From<long>([4, 1, 0, 4, 4, 2], [2, 3]).Transpose(0, 1);
        Tensor rows = Functional.Embedding(table, indices);
        Assert.Equal([3, 2, 3], rows.Shape);
        Near.Identical(table.Detach().IndexSelect(0, Tensor.From<long>([4, 4, 1, 4, 0, 2], [6])).Reshape(3, 2, 3), rows);
        rows.Sum().Backward();
        Assert.Equal([1f, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 3, 3, 3], table.Grad!.ToArray<float>());
    }
}
