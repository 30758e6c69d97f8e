using Espalier.Torch;

namespace Espalier.Tests.Torch;

/// <summary>
/// The layers of a transformer against the same functions composed of elementary operations in double precision:
/// outputs and gradients, at odd sizes, in single precision and under autocast, for tensors whose rows lie in memory
/// and for transposed ones. A fused kernel has to pass these.
/// </summary>
public class FunctionalTests
{
    private const int Hidden = 20, Heads = 5, Vocabulary = 61;

    /// <summary>(T, bf16, transposed).</summary>
    public static TheoryData<int, bool, bool> Modes()
    {
        var modes = new TheoryData<int, bool, bool>();
        foreach (int time in (int[])[1, 7, 33])
        {
            foreach (bool bf16 in (bool[])[false, true])
            {
                modes.Add(time, bf16, false);
                modes.Add(time, bf16, true);
            }
        }

        return modes;
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void Linear(int time, bool bf16, bool transposed)
    {
        Tensor x = Sample.Normal(1, 2, time, Hidden), weight = Sample.Normal(2, Hidden, 3 * Hidden) * 0.2, bias = Sample.Normal(3, 3 * Hidden);
        Compare(t => Functional.Linear(t[0], t[1], t[2]), t => t[0].MatMul(t[1]) + t[2], [x, weight, bias], bf16, transposed);
        Compare(t => Functional.Linear(t[0], t[1], Tensor.None), t => t[0].MatMul(t[1]), [x, weight], bf16, transposed);
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
    [MemberData(nameof(Modes))]
    public void LayerNorm(int time, bool bf16, bool transposed)
    {
        // Far from mean 0, where variances computed the short way lose their digits.
        Tensor x = (Sample.Normal(1, 2, time, Hidden) * 2) + Tensor.Full([1], 10);
        Compare(
            t => Functional.LayerNorm(t[0], t[1], t[2], 1e-5), t => Normalized(t[0], 1e-5) * t[1] + t[2],
            [x, Sample.Normal(2, Hidden), Sample.Normal(3, Hidden)], bf16, transposed, singleTolerance: 5e-5);
    }

    [Fact]
    public void LayerNormOfAConstantRowIsItsBias()
    {
        Tensor bias = Sample.Normal(1, Hidden);
        Tensor y = Functional.LayerNorm(Tensor.Full([1, Hidden], 7), Sample.Normal(2, Hidden), bias, 1e-5);
        Near.Equal(bias.Reshape(1, Hidden), y, 1e-5);
    }

    [Theory]
    [MemberData(nameof(Modes))]
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
    [MemberData(nameof(Modes))]
    public void SelfAttention(int time, bool bf16, bool transposed)
    {
        Tensor qkv = Sample.Normal(1, 2, time, 3 * Hidden);
        foreach (bool causal in (bool[])[true, false])
        {
            Compare(
                t => Functional.SelfAttention(t[0], Heads, causal, dropout: 0), t => Attention(t[0], Heads, causal), [qkv],
                bf16, transposed, singleTolerance: 2e-5, lowerTolerance: 0.04);
        }
    }

    [Fact]
    public void AttentionSurvivesScoresThatSinglePrecisionCannotExponentiate()
    {
        Tensor qkv = Sample.Normal(1, 1, 9, 3 * Hidden) * 40;
        Tensor y = Functional.SelfAttention(qkv, Heads, causal: true, dropout: 0);
        Near.Equal(Attention(Double(qkv), Heads, causal: true), y, 1e-4);
    }

    [Fact]
    public void AttentionDropoutDropsButKeepsTheMean()
    {
        // Values of 1: without dropout every output is 1, with it the mean over many still is.
        Tensor values = Tensor.Full([4, 64, 16], 1);
        Tensor qkv = Tensor.Concatenate([Sample.Normal(1, 4, 64, 32), values], 2);
        Near.Equal(values, Functional.SelfAttention(qkv, 4, causal: true, dropout: 0), 1e-5);
        double[] dropped = Near.Values(Functional.SelfAttention(qkv, 4, causal: true, dropout: 0.5));
        Assert.InRange(dropped.Average(), 0.9, 1.1);
        Assert.True(dropped.Count(value => Math.Abs(value - 1) > 0.01) > dropped.Length / 2);
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void LinearCrossEntropy(int time, bool bf16, bool transposed)
    {
        Tensor x = Sample.Normal(1, 2 * time, Hidden), weight = Sample.Normal(2, Vocabulary, Hidden) * 0.5;
        foreach (long[] targets in Targets(2 * time))
        {
            Tensor target = Tensor.From<long>(targets, [targets.Length]);
            Compare(
                t => Functional.LinearCrossEntropy(t[0], t[1], Tensor.None, target),
                t => CrossEntropy(t[0].MatMul(t[1].Transpose(0, 1)), targets), [x, weight], bf16, transposed);
        }
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void CrossEntropyOfLogits(int time, bool bf16, bool transposed)
    {
        Tensor logits = Sample.Normal(1, 2 * time, Vocabulary) * 3;
        foreach (long[] targets in Targets(2 * time))
        {
            Tensor target = Tensor.From<long>(targets, [targets.Length]);
            Compare(
                t => Functional.CrossEntropy(t[0], target), t => CrossEntropy(t[0], targets), [logits], bf16, transposed);
        }
    }

    [Fact]
    public void IgnoredTargetsGetNoGradientAtAll()
    {
        Tensor x = Leaf(Sample.Normal(1, 6, Hidden)), weight = Leaf(Sample.Normal(2, Vocabulary, Hidden));
        Functional.LinearCrossEntropy(x, weight, Tensor.None, Tensor.From<long>([-100, -100, -100, 5, -100, -100], [6])).Backward();
        double[] gradient = Near.Values(x.Grad!);
        for (int row = 0; row < 6; row++)
        {
            double[] values = gradient[(row * Hidden)..((row + 1) * Hidden)];
            Assert.Equal(row == 3, values.Any(value => value != 0));
        }
    }

    [Fact]
    public void CrossEntropySurvivesLargeLogits()
    {
        Tensor logits = Tensor.From<float>([1000, 0, -1000, 0, 1000, 0], [2, 3]);
        Assert.Equal(500, Functional.CrossEntropy(logits, Tensor.From<long>([0, 0], [2])).Item(), 3);
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

    /// <summary>
    /// Compares outputs and gradients. Transposed: every input of two or more axes, and the gradient of the output, lie
    /// in memory with their last two axes swapped.
    /// </summary>
    private static void Compare(
        Func<Tensor[], Tensor> function, Func<Tensor[], Tensor> composed, Tensor[] inputs, bool bf16, bool transposed,
        double singleTolerance = 1e-5, double lowerTolerance = 0.025)
    {
        Tensor[] exact = [.. inputs.Select(input => Leaf(Double(input)))];
        Tensor expected = composed(exact);
        Tensor upstream = expected.Shape.Length > 0 ? Sample.Normal(99, expected.Shape) : Tensor.Full([], 1);
        (expected * Double(upstream)).Sum().Backward();

        Tensor[] leaves = [.. inputs.Select(input => Leaf(Swap(input).Clone()))];
        Tensor actual, loss;
        using (bf16 ? new Autocast(Device.Cpu) : null)
        {
            actual = function([.. leaves.Select(Swap)]);
            loss = (Swap(actual) * Swap(upstream).Clone()).Sum();
        }

        loss.Backward();
        double tolerance = bf16 ? lowerTolerance : singleTolerance;
        Near.Equal(expected, actual, tolerance, "output");
        for (int i = 0; i < inputs.Length; i++)
        {
            Assert.Equal(ScalarType.Float32, leaves[i].Grad!.Type);
            Near.Equal(exact[i].Grad!, Swap(leaves[i].Grad!), tolerance, $"gradient {i}");
        }

        Tensor Swap(Tensor tensor) => transposed && tensor.Shape.Length > 1 ? tensor.Transpose(-2, -1) : tensor;
    }

    private static Tensor Leaf(Tensor tensor)
    {
        Tensor leaf = tensor.Clone();
        leaf.RequiresGrad = true;
        return leaf;
    }

    private static Tensor Double(Tensor tensor) => tensor.To(ScalarType.Float64, Device.Cpu);

    /// <summary>All counted, every third ignored, all but the last ignored.</summary>
    private static IEnumerable<long[]> Targets(int count)
    {
        long[] all = Sample.Indices(5, Vocabulary, count).ToArray<long>();
        yield return all;
        yield return [.. all.Select((target, i) => i % 3 == 1 ? Functional.IgnoredTarget : target)];
        yield return [.. all.Select((target, i) => i < count - 1 ? Functional.IgnoredTarget : target)];
    }

    private static Tensor CrossEntropy(Tensor logits, long[] targets)
    {
        var chosen = new double[logits.Count];
        int counted = targets.Count(target => target >= 0);
        for (int i = 0; i < targets.Length; i++)
        {
            if (targets[i] >= 0)
            {
                chosen[(i * Vocabulary) + targets[i]] = -1.0 / counted;
            }
        }

        return (logits.LogSoftmax() * Tensor.From<double>(chosen, logits.Shape)).Sum();
    }

    private static Tensor Attention(Tensor qkv, int heads, bool causal)
    {
        long batch = qkv.Shape[0], time = qkv.Shape[1], width = qkv.Shape[2] / 3, size = width / heads;
        var mask = new double[time * time];
        for (long query = 0; query < time; query++)
        {
            for (long key = query + 1; causal && key < time; key++)
            {
                mask[(query * time) + key] = double.NegativeInfinity;
            }
        }

        Tensor scores = Part(0).MatMul(Part(1).Transpose(2, 3)) * (1 / Math.Sqrt(size));
        return (scores + Tensor.From<double>(mask, [time, time])).Softmax().MatMul(Part(2))
            .Transpose(1, 2).Reshape(batch, time, width);

        // (B, H, T, D)
        Tensor Part(int which) =>
            qkv.Narrow(2, which * width, width).Reshape(batch, time, heads, size).Transpose(1, 2);
    }

    private static Tensor Normalized(Tensor x, double epsilon)
    {
        long width = x.Shape[^1];
        Tensor averaging = Tensor.Full([width, 1], 1.0 / width, ScalarType.Float64);
        Tensor centred = x - x.MatMul(averaging);
        Tensor variance = (centred * centred).MatMul(averaging) + Tensor.Full([1], epsilon, ScalarType.Float64);

        // 1 / sqrt(v) by Newton's iteration, which is elementary, from below the root for any v up to 300.
        Tensor root = Tensor.Full(variance.Shape, 0.1, ScalarType.Float64);
        for (int i = 0; i < 30; i++)
        {
            root = root * (Tensor.Full([1], 1.5, ScalarType.Float64) - (variance * root * root * 0.5));
        }

        return centred * root;
    }
}
