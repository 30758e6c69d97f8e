using Espalier.Torch;

namespace Espalier.SelfTest;

/// <summary>
/// The layers in single precision and under autocast, which may run in kernels of our own, against the same layers in
/// double precision, which are composed of libtorch's operations; at sizes that fill no vector and no block.
/// </summary>
internal static class KernelChecks
{
    private const double F32 = 2e-5, Bf16 = 4e-2;

    // Activations are what autocast hands on in bfloat16; weights stay in single precision.
    private sealed record Layer(
        string Name, long[][] Activations, long[][] Weights, Func<Tensor[], Tensor[], Tensor> Apply, bool HasGradient = true);

    private static readonly Layer[] Layers =
    [
        new("linear 21 x 13 -> 29", [[3, 7, 13]], [[13, 29], [29]], (x, w) => Functional.Linear(x[0], w[0], w[1])),
        new("linear 1 x 1 -> 3", [[1, 1]], [[1, 3], [3]], (x, w) => Functional.Linear(x[0], w[0], w[1])),
        new("linear 1 x 67 -> 257", [[1, 67]], [[67, 257], [257]], (x, w) => Functional.Linear(x[0], w[0], w[1])),
        new("linear 1 x 67 -> 257 transposed", [[1, 67]], [[257, 67], [257]], (x, w) => Functional.Linear(x[0], w[0], w[1], transposed: true)),
        new("linear 130 x 67 -> 257", [[130, 67]], [[67, 257], [257]], (x, w) => Functional.Linear(x[0], w[0], w[1])),
        new("layer_norm 35 x 37", [[5, 7, 37]], [[37], [37]], (x, w) => Functional.LayerNorm(x[0], w[0], w[1], 1e-5)),
        new("layer_norm 3 x 1031", [[3, 1031]], [[1031], [1031]], (x, w) => Functional.LayerNorm(x[0], w[0], w[1], 1e-5)),
        new("linear 21 x 13 -> 29 without bias", [[3, 7, 13]], [[29, 13]], (x, w) => Functional.Linear(x[0], w[0], Tensor.None, transposed: true)),
        new("rms_norm 35 x 37", [[5, 7, 37]], [[37]], (x, w) => Functional.RmsNorm(x[0], w[0], 1e-5)),
        new("rms_norm 3 x 1031", [[3, 1031]], [[1031]], (x, w) => Functional.RmsNorm(x[0], w[0], 1e-5)),
        new("silu_gate 1001", [[7, 143], [7, 143]], [], (x, _) => Functional.SiluGate(x[0], x[1])),
        new("gelu_tanh 1001", [[7, 143]], [], (x, _) => Functional.Gelu(x[0], tanhApproximation: true)),
        new("gelu 1001", [[7, 143]], [], (x, _) => Functional.Gelu(x[0], tanhApproximation: false)),
        new("residual 35 x 37", [[5, 7, 37], [5, 7, 37]], [], (x, _) => x[0] + x[1]),
        Attention(2, 17, 3, 5, causal: true),
        Attention(1, 1, 1, 7, causal: true),
        Attention(3, 65, 2, 9, causal: true),
        Attention(2, 33, 3, 16, causal: false),
        RotaryAttention(2, 17, 3, 3, 6),
        RotaryAttention(3, 65, 6, 2, 10),
        RotaryAttention(1, 1, 4, 1, 2),
        AttentionInPieces(2, 33, 6, 2, 10),
        HeadLoss(19, 23, 131),
        HeadLoss(70, 33, 1031),
    ];

    public static IEnumerable<SelfTestCheck> Run(Device device)
    {
        foreach (bool mixedPrecision in new[] { false, true })
        {
            for (int i = 0; i < Layers.Length; i++)
            {
                yield return Of(Layers[i], (ulong)i, device, mixedPrecision);
            }
        }
    }

    private static Layer Attention(int batch, int time, int heads, int headSize, bool causal) => new(
        $"{(causal ? "causal_" : "")}attention {batch} x {time} x {heads} x {headSize}",
        [[batch, time, 3L * heads * headSize]], [],
        (x, _) => Functional.SelfAttention(x[0], heads, causal, dropout: 0));

    private static Layer RotaryAttention(int batch, int time, int heads, int groups, int headSize) => new(
        $"rotary_attention {batch} x {time} x {heads} ({groups}) x {headSize}",
        [[batch, time, heads * headSize], [batch, time, groups * headSize], [batch, time, groups * headSize]], [],
        (x, _) => Functional.RotaryAttention(x[0], x[1], x[2], heads, groups, Frequencies(headSize, x[0].Device)));

    /// <summary>As text is generated: all tokens but four at once, then one after the other.</summary>
    private static Layer AttentionInPieces(int batch, int time, int heads, int groups, int headSize)
    {
        Layer whole = RotaryAttention(batch, time, heads, groups, headSize);
        return whole with
        {
            Name = whole.Name + " in pieces",
            HasGradient = false,
            Apply = (x, _) =>
            {
                using var past = new KeyValues(time);
                List<Tensor> pieces = [];
                while (past.Length < time)
                {
                    int start = past.Length, length = start == 0 ? time - 4 : 1;
                    Tensor[] next = [.. x.Select(part => part.Narrow(1, start, length))];
                    pieces.Add(Functional.RotaryAttention(
                        next[0], next[1], next[2], heads, groups, Frequencies(headSize, x[0].Device), past: past));
                }

                return Tensor.Concatenate(pieces, 1);
            },
        };
    }

    private static Tensor Frequencies(int headSize, Device device) =>
        Tensor.From<float>([.. Enumerable.Range(0, headSize / 2).Select(pair => 1f / (1 + pair))], [headSize / 2], device);

    private static Layer HeadLoss(int tokens, int width, int vocabulary)
    {
        var random = new CounterRandom((ulong)vocabulary, RandomPurpose.BatchOrder);
        long[] targets = [.. Enumerable.Range(0, tokens).Select(
            i => i % 5 == 3 ? Functional.IgnoredTarget : (long)random.NextBelow((ulong)vocabulary, (uint)i))];
        return new Layer(
            $"linear_cross_entropy {tokens} x {width} -> {vocabulary}", [[tokens, width]], [[vocabulary, width]],
            (x, w) => Functional.LinearCrossEntropySum(x[0], w[0], Tensor.None, Tensor.From<long>(targets, [tokens], x[0].Device)));
    }

    private static SelfTestCheck Of(Layer layer, ulong seed, Device device, bool mixedPrecision)
    {
        using var scope = new TensorScope();
        long[][] shapes = [.. layer.Activations, .. layer.Weights];
        Tensor[] exact = [.. shapes.Select((shape, i) => Draw(shape, seed, i, device, ScalarType.Float64))];
        Tensor[] tested = [.. shapes.Select((shape, i) => Draw(shape, seed, i, device, ScalarType.Float32))];
        int activations = layer.Activations.Length;

        Tensor expected = layer.Apply(exact[..activations], exact[activations..]);
        Tensor actual;
        using (Autocast? autocast = mixedPrecision ? new Autocast(device) : null)
        {
            Tensor[] x = mixedPrecision
                ? [.. tested[..activations].Select(input => input.To(ScalarType.BFloat16, device))]
                : tested[..activations];
            actual = layer.Apply(x, tested[activations..]);
        }

        if (!layer.HasGradient)
        {
            return Check(SelfTestCheck.LargestDeviation([(expected, actual)]));
        }

        Tensor upstream = Draw(expected.Shape, seed, shapes.Length, device, ScalarType.Float64).Detach();
        (expected * upstream).Sum().Backward();
        (actual.To(ScalarType.Float32, device) * upstream.To(ScalarType.Float32, device)).Sum().Backward();
        return Check(SelfTestCheck.LargestDeviation([(expected, actual), .. exact.Zip(tested, (a, b) => (a.Grad!, b.Grad!))]));

        SelfTestCheck Check(double deviation) => new(
            layer.Name, mixedPrecision ? "bf16" : "f32", deviation, mixedPrecision ? Bf16 : F32);
    }

    /// <summary>Normal numbers that are exact in single precision.</summary>
    private static Tensor Draw(long[] shape, ulong seed, int index, Device device, ScalarType type)
    {
        var values = new float[shape.Aggregate(1L, (product, size) => product * size)];
        new CounterRandom(seed, RandomPurpose.Initialization, index).FillNormal(values, 1);
        Tensor tensor = Tensor.From<float>(values, shape).To(type, device);
        tensor.RequiresGrad = true;
        return tensor;
    }
}
