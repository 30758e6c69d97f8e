using Espalier.Torch;
using static Espalier.Tests.Torch.KernelComparison;

namespace Espalier.Tests.Torch;

/// <summary>Self-attention: causal or not, turned by positions, with shared keys and values, in pieces, with dropout.</summary>
public class AttentionTests
{
    [Theory]
    [MemberData(nameof(KernelComparison.Modes), MemberType = typeof(KernelComparison))]
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
    [MemberData(nameof(KernelComparison.Modes), MemberType = typeof(KernelComparison))]
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
}
