using static Espalier.Torch.Native;

namespace Espalier.Torch;

/// <summary>
/// The layers of a transformer as functions of their inputs and weights. All follow the gradient; under
/// <see cref="Autocast"/> matrix products run in the lower precision. Shapes that do not fit throw
/// <see cref="TorchException"/>.
/// </summary>
public static class Functional
{
    /// <summary>The target that <see cref="CrossEntropy"/> leaves out.</summary>
    public const long IgnoredTarget = -100;

    /// <summary>x W + b.</summary>
    /// <param name="x">(..., in).</param>
    /// <param name="weight">(in, out), as GPT-2 lays it out.</param>
    /// <param name="bias">(out), or <see cref="Tensor.None"/>.</param>
    /// <param name="transposed">Whether the weight lies (out, in), as BERT lays it out.</param>
    /// <returns>(..., out).</returns>
    public static Tensor Linear(Tensor x, Tensor weight, Tensor bias, bool transposed = false) =>
        Check(esp_linear(x, weight, bias, transposed ? 1 : 0));

    /// <summary>(x - mean) / sqrt(variance + epsilon) * weight + bias over the last axis.</summary>
    /// <param name="x">(..., C).</param>
    /// <param name="weight">(C).</param>
    /// <param name="bias">(C).</param>
    /// <param name="epsilon">Added to the variance.</param>
    /// <param name="keepType">
    /// Whether the result is of x's type under <see cref="Autocast"/> too: where it is the residual stream.
    /// </param>
    public static Tensor LayerNorm(Tensor x, Tensor weight, Tensor bias, double epsilon, bool keepType = false) =>
        Check(esp_layer_norm(x, weight, bias, epsilon, keepType ? 1 : 0));

    /// <summary>
    /// <see cref="LayerNorm(Tensor, Tensor, Tensor, double, bool)"/> over the open share of each unit: mean and variance are
    /// weighted by the mask and the result is multiplied by it, so that closed units are as if they were not there (MSG,
    /// arXiv 2305.02869).
    /// </summary>
    /// <param name="x">(..., C).</param>
    /// <param name="weight">(C).</param>
    /// <param name="bias">(C).</param>
    /// <param name="mask">(C), each from 0, closed, to 1, open; not all 0.</param>
    /// <param name="epsilon">Added to the variance.</param>
    public static Tensor LayerNorm(Tensor x, Tensor weight, Tensor bias, Tensor mask, double epsilon) =>
        Check(esp_masked_layer_norm(x, weight, bias, mask, epsilon));

    /// <summary>
    /// x / sqrt(mean of squares + epsilon) * weight over the last axis, computed in single precision. What comes out is of x's
    /// type, or in the lower precision under <see cref="Autocast"/> on processors.
    /// </summary>
    /// <param name="x">(..., C).</param>
    /// <param name="weight">(C).</param>
    /// <param name="epsilon">Added to the mean of squares.</param>
    /// <param name="mask">(C), each from 0, closed, to 1, open: closed units are as if they were not there. Null for all open.</param>
    public static Tensor RmsNorm(Tensor x, Tensor weight, double epsilon, Tensor? mask = null) =>
        Check(esp_rms_norm(x, weight, mask ?? Tensor.None, epsilon));

    /// <summary>silu(gate) * x, element by element (SwiGLU, arXiv 2002.05202).</summary>
    public static Tensor SiluGate(Tensor gate, Tensor x) => Check(esp_silu_gate(gate, x));

    /// <summary>GELU, exact or by GPT-2's tanh approximation.</summary>
    public static Tensor Gelu(Tensor x, bool tanhApproximation) => Check(esp_gelu(x, tanhApproximation ? 1 : 0));

    /// <summary>Multi-head self-attention.</summary>
    /// <param name="qkv">(B, T, 3C): queries, keys and values side by side.</param>
    /// <param name="heads">The number of heads; divides C.</param>
    /// <param name="causal">Whether a token sees only itself and those before it.</param>
    /// <param name="dropout">The probability with which an attention weight is dropped.</param>
    /// <param name="lengths">
    /// (B), int64: of each sequence, the positions before the padding at its end, which no other sees; null for no padding.
    /// What comes out at the padding itself means nothing.
    /// </param>
    /// <param name="past">
    /// What the tokens before have left: these follow on them, and leave theirs. Causal only, without dropout or gradient.
    /// </param>
    /// <returns>(B, T, C).</returns>
    public static Tensor SelfAttention(
        Tensor qkv, int heads, bool causal, double dropout, Tensor? lengths = null, KeyValues? past = null) =>
        past is not null
            ? past.Attend(qkv, Tensor.None, Tensor.None, heads, heads, Tensor.None)
            : Check(esp_self_attention(
                qkv, Tensor.None, Tensor.None, heads, heads, causal ? 1 : 0, dropout, lengths ?? Tensor.None, Tensor.None, Tensor.None));

    /// <summary>
    /// Causal self-attention by rotary positions: elements i and i + d/2 of every head of queries and keys are turned by its
    /// position times a frequency (RoPE, arXiv 2104.09864). Query heads side by side share a head of keys and values.
    /// </summary>
    /// <param name="query">(B, T, heads x d).</param>
    /// <param name="key">(B, T, groups x d).</param>
    /// <param name="value">(B, T, groups x d).</param>
    /// <param name="heads">The query heads.</param>
    /// <param name="groups">The heads of keys and values; divides <paramref name="heads"/>.</param>
    /// <param name="frequencies">(d/2): radians a position.</param>
    /// <param name="positions">(B, T), int64; null for T in a row that follow on the past, or begin at 0.</param>
    /// <param name="dropout">The probability with which an attention weight is dropped.</param>
    /// <param name="past">
    /// What the tokens before have left: these follow on them, and leave theirs. Without positions, dropout or gradient.
    /// </param>
    /// <returns>(B, T, heads x d).</returns>
    public static Tensor RotaryAttention(
        Tensor query, Tensor key, Tensor value, int heads, int groups, Tensor frequencies, Tensor? positions = null,
        double dropout = 0, KeyValues? past = null) =>
        past is not null
            ? past.Attend(query, key, value, heads, groups, frequencies)
            : Check(esp_self_attention(
                query, key, value, heads, groups, 1, dropout, Tensor.None, frequencies, positions ?? Tensor.None));

    /// <summary>The rows of <paramref name="weight"/> (V, C) that the indices name (int64, any shape S): (S, C).</summary>
    public static Tensor Embedding(Tensor weight, Tensor indices) => Check(esp_embedding(weight, indices));

    /// <summary>Zeroes elements with the given probability and scales the others up; itself at probability 0.</summary>
    public static Tensor Dropout(Tensor x, double probability) =>
        probability == 0 ? x : Check(esp_dropout(x, probability));

    /// <summary>The mean negative log likelihood, in nats, of the targets that are not <see cref="IgnoredTarget"/>.</summary>
    /// <param name="logits">(N, V).</param>
    /// <param name="targets">(N), int64.</param>
    public static Tensor CrossEntropy(Tensor logits, Tensor targets) =>
        Check(esp_cross_entropy(logits, targets, IgnoredTarget));

    /// <summary>
    /// The negative log likelihoods, in nats, of the targets that are not <see cref="IgnoredTarget"/>, summed up; of the
    /// logits x W^T + b, which are never held whole.
    /// </summary>
    /// <param name="x">(N, C).</param>
    /// <param name="weight">(V, C): the vocabulary head.</param>
    /// <param name="bias">(V), or <see cref="Tensor.None"/>.</param>
    /// <param name="targets">(N), int64.</param>
    /// <param name="zLoss">
    /// What the gradient counts of log(Z)^2 for each of these targets, Z the sum of the exponentials of its logits (PaLM,
    /// section 5). The value does not count it.
    /// </param>
    public static Tensor LinearCrossEntropySum(Tensor x, Tensor weight, Tensor bias, Tensor targets, double zLoss = 0) =>
        Check(esp_linear_cross_entropy(x, weight, bias, targets, IgnoredTarget, zLoss));
}
