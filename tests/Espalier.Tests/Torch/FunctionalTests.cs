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
        Compare(
            t => Functional.Linear(t[0], t[1], Tensor.None, transposed: true), t => t[0].MatMul(t[1].Transpose(0, 1)),
            [x, weight.Transpose(0, 1).Clone()], bf16, transposed);
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
    [MemberData(nameof(Modes))]
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
    [MemberData(nameof(Modes))]
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
    [MemberData(nameof(Modes))]
    public void RmsNorm(int time, bool bf16, bool transposed) => Compare(
        t => Functional.RmsNorm(t[0], t[1], 1e-5),
        t => t[0] * InverseRoot(Averaged(t[0] * t[0], Ones(Hidden)), 1e-5) * t[1],
        [Sample.Normal(1, 2, time, Hidden) * 2, Sample.Normal(2, Hidden)], bf16, transposed);

    /// <summary>Open, half open and closed units; what closes also gets no gradient.</summary>
    [Theory]
    [MemberData(nameof(Modes))]
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

    [Theory]
    [MemberData(nameof(Modes))]
    public void SiluGate(int time, bool bf16, bool transposed) => Compare(
        t => Functional.SiluGate(t[0], t[1]),
        t => t[0] * ((t[0] * 0.5).Tanh() + Tensor.Full([1], 1, ScalarType.Float64)) * 0.5 * t[1],
        [Sample.Normal(1, 2, time, Hidden) * 3, Sample.Normal(2, 2, time, Hidden)], bf16, transposed);

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

    /// <summary>One head of keys for all queries, one for some of them, one for each; in order, and at positions of one's own.</summary>
    [Theory]
    [MemberData(nameof(Modes))]
    public void RotaryAttention(int time, bool bf16, bool transposed)
    {
        const int QueryHeads = 6, Size = 10;
        float[] frequencies = [.. Enumerable.Range(0, Size / 2).Select(i => 1.5f / (1 + i))];
        Tensor turns = Tensor.From<float>(frequencies, [frequencies.Length]);
        long[] places = [.. Enumerable.Range(0, 2).SelectMany(row => Enumerable.Range(0, time).Select(t => (2L * t) + row))];
        foreach (int groups in (int[])[1, 3, 6])
        {
            foreach (long[]? positions in (long[]?[])[null, places])
            {
                Tensor? given = positions is null ? null : Tensor.From<long>(positions, [2, time]);
                Compare(
                    t => Functional.RotaryAttention(t[0], t[1], t[2], QueryHeads, groups, turns, given),
                    t => Rotated(t[0], t[1], t[2], QueryHeads, groups, frequencies, positions),
                    [Sample.Normal(1, 2, time, QueryHeads * Size), Sample.Normal(2, 2, time, groups * Size), Sample.Normal(3, 2, time, groups * Size)],
                    bf16, transposed, singleTolerance: 2e-5, lowerTolerance: 0.04);
            }
        }
    }

    /// <summary>Tokens that come in pieces, single ones among them, get what they get at once; a second time too.</summary>
    [Theory]
    [InlineData(ScalarType.Float64, 1e-12)]
    [InlineData(ScalarType.Float32, 2e-6)]
    [InlineData(ScalarType.BFloat16, 0.02)]
    public void AttentionGoesOnFromThePast(ScalarType type, double tolerance)
    {
        const int Time = 41, Size = 6;
        Tensor turns = Tensor.From<float>([1, 0.3f, 0.1f], [3]);
        foreach (int groups in (int[])[1, 2, 4])
        {
            using var past = new KeyValues(Time + 2);
            Tensor q = Draw(1, 4), k = Draw(2, groups), v = Draw(3, groups);
            Tensor whole = Functional.RotaryAttention(q, k, v, 4, groups, turns);
            for (int round = 0; round < 2; round++)
            {
                Near.Equal(whole, InPieces(past, (start, length) => Functional.RotaryAttention(
                    q.Narrow(1, start, length), k.Narrow(1, start, length), v.Narrow(1, start, length), 4, groups, turns, past: past)), tolerance);
                Assert.Equal(Time, past.Length);
                past.Forget();
            }
        }

        using var packed = new KeyValues(Time);
        Tensor qkv = Draw(4, 12);
        Near.Equal(
            Functional.SelfAttention(qkv, 4, causal: true, dropout: 0),
            InPieces(packed, (start, length) => Functional.SelfAttention(
                qkv.Narrow(1, start, length), 4, causal: true, dropout: 0, past: packed)), tolerance);
        Assert.Throws<TorchException>(() => Functional.SelfAttention(qkv, 4, causal: true, dropout: 0, past: packed));

        Tensor Draw(int seed, int heads) => Sample.Normal(seed, 3, Time, heads * Size).To(type, Device.Cpu);

        static Tensor InPieces(KeyValues past, Func<int, int, Tensor> attention)
        {
            List<Tensor> pieces = [];
            foreach (int length in (int[])[5, 1, 1, 2, 31, 1])
            {
                pieces.Add(attention(past.Length, length));
            }

            return Tensor.Concatenate(pieces, 1);
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
    public void LinearCrossEntropySum(int time, bool bf16, bool transposed)
    {
        Tensor x = Sample.Normal(1, 2 * time, Hidden), weight = Sample.Normal(2, Vocabulary, Hidden) * 0.5;
        foreach (long[] targets in Targets(2 * time))
        {
            Tensor target = Tensor.From<long>(targets, [targets.Length]);
            Compare(
                t => Functional.LinearCrossEntropySum(t[0], t[1], Tensor.None, target),
                t => CrossEntropySum(t[0].MatMul(t[1].Transpose(0, 1)), targets), [x, weight], bf16, transposed);
        }
    }

    /// <summary>The inputs of which gradients are asked: each set but the empty one.</summary>
    public static TheoryData<bool, bool, bool> Frozen()
    {
        var sets = new TheoryData<bool, bool, bool>();
        for (int set = 1; set < 8; set++)
        {
            sets.Add((set & 1) != 0, (set & 2) != 0, (set & 4) != 0);
        }

        return sets;
    }

    [Theory]
    [MemberData(nameof(Frozen))]
    public void LinearCrossEntropyGivesTheGradientsThatAreAskedOfIt(bool ofInput, bool ofWeight, bool ofBias)
    {
        Tensor targets = Tensor.From<long>([.. Targets(7).ElementAt(1)], [7]);
        OnlyTheseGradients(
            t => Functional.LinearCrossEntropySum(t[0], t[1], t[2], targets),
            [Sample.Normal(1, 7, Hidden), Sample.Normal(2, Vocabulary, Hidden), Sample.Normal(3, Vocabulary)],
            [ofInput, ofWeight, ofBias]);
    }

    [Theory]
    [MemberData(nameof(Frozen))]
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

    [Theory]
    [MemberData(nameof(Modes))]
    public void CrossEntropyOfLogits(int time, bool bf16, bool transposed)
    {
        Tensor logits = Sample.Normal(1, 2 * time, Vocabulary) * 3;
        foreach (long[] targets in Targets(2 * time))
        {
            Tensor target = Tensor.From<long>(targets, [targets.Length]);
            Compare(
                t => Functional.CrossEntropy(t[0], target), t => CrossEntropySum(t[0], targets) * (1.0 / targets.Count(target => target >= 0)),
                [logits], bf16, transposed);
        }
    }

    [Fact]
    public void IgnoredTargetsGetNoGradientAtAll()
    {
        Tensor x = Leaf(Sample.Normal(1, 6, Hidden)), weight = Leaf(Sample.Normal(2, Vocabulary, Hidden));
        Functional.LinearCrossEntropySum(x, weight, Tensor.None, Tensor.From<long>([-100, -100, -100, 5, -100, -100], [6])).Backward();
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

    /// <summary>Gradients are the same whatever others are asked for, and there are no others.</summary>
    private static void OnlyTheseGradients(Func<Tensor[], Tensor> loss, Tensor[] inputs, bool[] asked)
    {
        Tensor[] all = [.. inputs.Select(Leaf)], some = [.. inputs.Select((input, i) => asked[i] ? Leaf(input) : input)];
        Tensor expected = loss(all), actual = loss(some);
        Near.Identical(expected.Detach(), actual.Detach());
        expected.Backward();
        actual.Backward();
        for (int i = 0; i < inputs.Length; i++)
        {
            if (asked[i])
            {
                Near.Identical(all[i].Grad!, some[i].Grad!, $"gradient {i}");
            }
            else
            {
                Assert.Null(some[i].Grad);
            }
        }
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

    private static Tensor CrossEntropySum(Tensor logits, long[] targets)
    {
        var chosen = new double[logits.Count];
        for (int i = 0; i < targets.Length; i++)
        {
            if (targets[i] >= 0)
            {
                chosen[(i * Vocabulary) + targets[i]] = -1;
            }
        }

        return (logits.LogSoftmax() * Tensor.From<double>(chosen, logits.Shape)).Sum();
    }

    private static Tensor Attention(Tensor qkv, int heads, bool causal)
    {
        long batch = qkv.Shape[0], time = qkv.Shape[1], width = qkv.Shape[2] / 3, size = width / heads;
        return Attention(Part(0), Part(1), Part(2), causal);

        // (B, H, T, D)
        Tensor Part(int which) =>
            qkv.Narrow(2, which * width, width).Reshape(batch, time, heads, size).Transpose(1, 2);
    }

    /// <summary>Of heads (B, H, T, D): (B, T, H D).</summary>
    private static Tensor Attention(Tensor q, Tensor k, Tensor v, bool causal)
    {
        long batch = q.Shape[0], heads = q.Shape[1], time = q.Shape[2], size = q.Shape[3];
        var mask = new double[time * time];
        for (long query = 0; query < time; query++)
        {
            for (long key = query + 1; causal && key < time; key++)
            {
                mask[(query * time) + key] = double.NegativeInfinity;
            }
        }

        Tensor scores = q.MatMul(k.Transpose(2, 3)) * (1 / Math.Sqrt(size));
        return (scores + Tensor.From<double>(mask, [time, time])).Softmax().MatMul(v)
            .Transpose(1, 2).Reshape(batch, time, heads * size);
    }

    private static Tensor Rotated(
        Tensor q, Tensor k, Tensor v, int heads, int groups, float[] frequencies, long[]? positions)
    {
        long batch = q.Shape[0], time = q.Shape[1], half = frequencies.Length;
        double[] angles =
        [
            .. Enumerable.Range(0, (int)(batch * time)).SelectMany(
                place => frequencies.Select(frequency => (positions?[place] ?? place % time) * (double)frequency)),
        ];
        Tensor cos = Table(Math.Cos), sin = Table(Math.Sin);
        Tensor[] shared = [.. Enumerable.Range(0, heads).Select(head => Tensor.From<long>([head * groups / heads], [1]))];
        return Attention(Turned(Split(q, heads)), Shared(Turned(Split(k, groups))), Shared(Split(v, groups)), causal: true);

        Tensor Table(Func<double, double> function) => Tensor.From<double>([.. angles.Select(function)], [batch, 1, time, half]);

        Tensor Split(Tensor x, int n) => x.Reshape(batch, time, n, 2 * half).Transpose(1, 2);

        // Each query head finds its own copy.
        Tensor Shared(Tensor x) => Tensor.Concatenate([.. shared.Select(group => x.IndexSelect(1, group))], 1);

        Tensor Turned(Tensor x)
        {
            Tensor first = x.Narrow(3, 0, half), second = x.Narrow(3, half, half);
            return Tensor.Concatenate([(first * cos) - (second * sin), (second * cos) + (first * sin)], 3);
        }
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
