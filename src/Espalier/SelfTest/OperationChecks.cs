using Espalier.Torch;

namespace Espalier.SelfTest;

/// <summary>Every operation and its gradients against PyTorch's in double precision; AdamW and the gradient norm.</summary>
internal static class OperationChecks
{
    private const double F32 = 2e-5, Bf16 = 4e-2;

    public static IEnumerable<SelfTestCheck> Run(SelfTestReference reference, Device device)
    {
        string[] operations = [.. reference.Metadata("ops").EnumerateObject().Select(op => op.Name)];
        foreach (string operation in operations)
        {
            yield return Of(reference, device, operation, mixedPrecision: false);
        }

        foreach (string operation in operations)
        {
            yield return Of(reference, device, operation, mixedPrecision: true);
        }

        double decay = reference.Metadata("adamw").GetProperty("weight_decay").GetDouble();
        yield return AdamW(reference, "adamw", decay);
        yield return AdamW(reference, "adamw_without_decay", 0);
        yield return Clip(reference, "clip");
        yield return Clip(reference, "clip_below");
    }

    private static SelfTestCheck Of(SelfTestReference reference, Device device, string operation, bool mixedPrecision)
    {
        using var scope = new TensorScope();
        var inputs = new List<Tensor>();
        for (int i = 0; reference.Contains($"{operation}/input{i}"); i++)
        {
            Tensor input = reference[$"{operation}/input{i}"];
            input.RequiresGrad = reference.Contains($"{operation}/grad{i}");
            inputs.Add(input);
        }

        Tensor output;
        using (Autocast? autocast = mixedPrecision ? new Autocast(device) : null)
        {
            output = Apply(operation, inputs);
        }

        (output * reference[$"{operation}/upstream"]).Sum().Backward();
        double deviation = SelfTestCheck.LargestDeviation(
        [
            (reference[$"{operation}/output"], output),
            .. inputs.Select((input, i) => (input, i)).Where(pair => pair.input.RequiresGrad)
                .Select(pair => (reference[$"{operation}/grad{pair.i}"], pair.input.Grad!)),
        ]);
        return new SelfTestCheck(operation, mixedPrecision ? "bf16" : "f32", deviation, mixedPrecision ? Bf16 : F32);
    }

    private static Tensor Apply(string operation, List<Tensor> x) => operation switch
    {
        "linear" => Functional.Linear(x[0], x[1].Transpose(0, 1), x[2]),
        "conv1d" => Functional.Linear(x[0], x[1], x[2]),
        "matmul" or "batched_matmul" => x[0].MatMul(x[1]),
        "layer_norm" => Functional.LayerNorm(x[0], x[1], x[2], 1e-5),
        "gelu_tanh" => Functional.Gelu(x[0], tanhApproximation: true),
        "softmax" => x[0].Softmax(),
        "causal_attention" => Attention(x[0], x[1], x[2]),
        "embedding" => Functional.Embedding(x[0], x[1]),
        "cross_entropy" => Functional.CrossEntropy(x[0], x[1]),
        "add" => x[0] + x[1],
        "mul" => x[0] * x[1],
        "sum" => x[0].Sum(),
        "mean" => x[0].Mean(),
        "cat" => Tensor.Concatenate(x, 1),
        "index_select" => x[0].IndexSelect(0, x[1]),
        _ => throw new NotSupportedException($"the reference holds an operation '{operation}' that the self-test does not know"),
    };

    /// <summary>The reference holds (B, H, T, D) apart; ours takes them side by side and gives (B, T, C).</summary>
    private static Tensor Attention(Tensor q, Tensor k, Tensor v)
    {
        long batch = q.Shape[0], heads = q.Shape[1], time = q.Shape[2], size = q.Shape[3];
        Tensor qkv = Tensor.Concatenate([Merged(q), Merged(k), Merged(v)], 2);
        return Functional.SelfAttention(qkv, (int)heads, causal: true, dropout: 0)
            .Reshape(batch, time, heads, size).Transpose(1, 2);

        Tensor Merged(Tensor x) => x.Transpose(1, 2).Reshape(batch, time, heads * size);
    }

    private static SelfTestCheck AdamW(SelfTestReference reference, string name, double decay)
    {
        using var scope = new TensorScope();
        var settings = reference.Metadata("adamw");
        Tensor parameter = reference[name + "/input0"], gradient = reference[name + "/input1"];
        Tensor average = reference[name + "/input2"], square = reference[name + "/input3"];
        Optimizers.AdamW(
            parameter, gradient, average, square, 1, Setting("learning_rate"), Setting("beta1"), Setting("beta2"),
            Setting("epsilon"), decay, (long)Setting("steps_before") + 1);
        double deviation = SelfTestCheck.LargestDeviation(
        [
            (reference[name + "/output0"], parameter),
            (reference[name + "/output1"], average),
            (reference[name + "/output2"], square),
        ]);
        return new SelfTestCheck(name, "f32", deviation, F32);

        double Setting(string key) => settings.GetProperty(key).GetDouble();
    }

    private static SelfTestCheck Clip(SelfTestReference reference, string name)
    {
        using var scope = new TensorScope();
        Tensor first = reference[name + "/input0"], second = reference[name + "/input1"];
        double norm = Optimizers.GlobalNorm([first, second]);
        double scale = Math.Min(1, reference.Metadata("clip").GetProperty("max_norm").GetDouble() / norm);
        double deviation = SelfTestCheck.LargestDeviation(
        [
            (reference[name + "/norm"], Tensor.Full([], norm)),
            (reference[name + "/output0"], first * scale),
            (reference[name + "/output1"], second * scale),
        ]);
        return new SelfTestCheck(name, "f32", deviation, F32);
    }
}
