using Espalier.Torch;

namespace Espalier.Tests.Torch;

/// <summary>Outputs and gradients of operations against those of PyTorch in double precision.</summary>
public class ReferenceTests
{
    public static TheoryData<string> Operations()
    {
        using Golden golden = Golden.Open("reference");
        return [.. golden.Metadata("ops").EnumerateObject().Select(op => op.Name)];
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public void AgreesWithTheReference(string op)
    {
        using Golden golden = Golden.Open("reference");
        var inputs = new List<Tensor>();
        for (int i = 0; golden.Contains($"{op}/input{i}"); i++)
        {
            Tensor input = golden[$"{op}/input{i}"];
            input.RequiresGrad = golden.Contains($"{op}/grad{i}");
            inputs.Add(input);
        }

        Tensor output = Apply(op, inputs);
        Near.Equal(golden[$"{op}/output"], output, 3e-6, op);

        (output * golden[$"{op}/upstream"]).Sum().Backward();
        for (int i = 0; i < inputs.Count; i++)
        {
            if (inputs[i].RequiresGrad)
            {
                Near.Equal(golden[$"{op}/grad{i}"], inputs[i].Grad!, 3e-6, $"{op}: gradient {i}");
            }
        }
    }

    private static Tensor Apply(string op, List<Tensor> x) => op switch
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
        _ => throw new NotSupportedException($"the reference holds an operation '{op}' that no test knows"),
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
}
