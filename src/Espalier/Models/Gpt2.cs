using Espalier.Data;
using Espalier.Torch;

using static Espalier.Torch.Functional;

namespace Espalier.Models;

/// <summary>
/// GPT-2 as Hugging Face defines it: norms before the sublayers, learned positions, tanh-GELU, and a head that is by
/// default the token embedding. Linear weights lie (in, out), as its Conv1D stores them.
/// </summary>
public sealed class Gpt2 : IArchitecture
{
    // Axes in the names and comments: B sequences, T positions, C hidden, F feed-forward, V vocabulary.
    private const string TokenEmbedding = "transformer.wte.weight";
    private const string PositionEmbedding = "transformer.wpe.weight";
    private const string FinalNorm = "transformer.ln_f";
    private const string UntiedHead = "lm_head.weight";

    /// <inheritdoc/>
    public IObjective Objective(Tokenizer tokenizer) => new NextToken();

    /// <inheritdoc/>
    public IReadOnlyList<ParameterSpec> Parameters(ModelConfig config)
    {
        var hidden = new Axis(AxisKind.Hidden, AxisSide.None, config.HiddenSize);
        Axis hiddenIn = hidden with { Side = AxisSide.Input };
        Axis hiddenOut = hidden with { Side = AxisSide.Output };
        Axis heads = hidden with { Kind = AxisKind.Heads, Side = AxisSide.Input };
        var queryKeyValue = new Axis(AxisKind.QueryKeyValue, AxisSide.Output, 3 * config.HiddenSize);
        var ffn = new Axis(AxisKind.Ffn, AxisSide.Output, config.FfnWidth);
        var vocabulary = new Axis(AxisKind.Vocabulary, AxisSide.None, config.Vocabulary);
        var positions = new Axis(AxisKind.Position, AxisSide.None, config.ContextLength);

        List<ParameterSpec> specs =
        [
            Shared(TokenEmbedding, [vocabulary, hiddenOut], Initialization.Normal),
            Shared(PositionEmbedding, [positions, hiddenOut], Initialization.Normal),
        ];
        for (int layer = 0; layer < config.Layers; layer++)
        {
            specs.AddRange(
            [
                InLayer("ln_1.weight", [hidden], Initialization.Ones),
                InLayer("ln_1.bias", [hidden], Initialization.Zeros),
                InLayer("attn.c_attn.weight", [hiddenIn, queryKeyValue], Initialization.Normal),
                InLayer("attn.c_attn.bias", [queryKeyValue], Initialization.Zeros),
                InLayer("attn.c_proj.weight", [heads, hiddenOut], Initialization.ResidualProjection),
                InLayer("attn.c_proj.bias", [hiddenOut], Initialization.Zeros),
                InLayer("ln_2.weight", [hidden], Initialization.Ones),
                InLayer("ln_2.bias", [hidden], Initialization.Zeros),
                InLayer("mlp.c_fc.weight", [hiddenIn, ffn], Initialization.Normal),
                InLayer("mlp.c_fc.bias", [ffn], Initialization.Zeros),
                InLayer("mlp.c_proj.weight", [ffn with { Side = AxisSide.Input }, hiddenOut], Initialization.ResidualProjection),
                InLayer("mlp.c_proj.bias", [hiddenOut], Initialization.Zeros),
            ]);

            ParameterSpec InLayer(string role, Axis[] axes, Initialization initialization) =>
                new($"transformer.h.{layer}.{role}", layer, role, axes, initialization);
        }

        specs.Add(Shared(FinalNorm + ".weight", [hidden], Initialization.Ones));
        specs.Add(Shared(FinalNorm + ".bias", [hidden], Initialization.Zeros));
        if (!config.TiedHead)
        {
            specs.Add(Shared(UntiedHead, [vocabulary with { Side = AxisSide.Output }, hiddenIn], Initialization.Normal));
        }

        return specs;

        static ParameterSpec Shared(string name, Axis[] axes, Initialization initialization) =>
            new(name, null, name, axes, initialization);
    }

    /// <inheritdoc/>
    public Tensor Logits(ModelConfig config, ParameterSet parameters, Tensor hidden) =>
        hidden.MatMul(Head(config, parameters).Transpose(0, 1));

    /// <inheritdoc/>
    public Tensor Loss(ModelConfig config, ParameterSet parameters, Tensor hidden, Tensor targets) =>
        LinearCrossEntropy(hidden, Head(config, parameters), Tensor.None, targets);

    /// <inheritdoc/>
    public FlopsCount ForwardFlops(ModelConfig config, ForwardPlan plan, int batchSize, int length, double predictions)
    {
        double tokens = (double)batchSize * length;
        double hidden = config.HiddenSize;
        // Queries, keys, values and output: 4 C^2; feed-forward: 2 C F. Scores and mixing: T C each a token.
        double perLayer = 2 * ((4 * hidden * hidden) + (2 * hidden * config.FfnWidth)) * tokens;
        double attention = 2 * 2 * hidden * length * tokens;
        double head = 2 * hidden * config.Vocabulary * predictions;
        return new FlopsCount(plan.Depth * perLayer, plan.Depth * attention, head);
    }

    /// <inheritdoc/>
    public Tensor Hidden(
        ModelConfig config, ParameterSet parameters, ModelInput input, ForwardPlan plan, bool training)
    {
        var gpt2 = (Gpt2Config)config;
        Tensor x_BTC = Embedding(parameters[TokenEmbedding], input.Ids)
            + parameters[PositionEmbedding].Narrow(0, 0, input.Length);
        x_BTC = Dropout(x_BTC, training ? gpt2.EmbeddingDropout : 0);
        foreach (int layer in plan.Layers)
        {
            x_BTC = Layer(gpt2, parameters, layer, x_BTC, training);
        }

        return LayerNorm(
            x_BTC, parameters[FinalNorm + ".weight"], parameters[FinalNorm + ".bias"], config.LayerNormEpsilon);
    }

    private static Tensor Head(ModelConfig config, ParameterSet parameters) =>
        parameters[config.TiedHead ? TokenEmbedding : UntiedHead];

    private static Tensor Layer(Gpt2Config config, ParameterSet parameters, int layer, Tensor x_BTC, bool training)
    {
        double residualDropout = training ? config.ResidualDropout : 0;

        Tensor qkv = Linear(Norm("ln_1", x_BTC), Weight("attn.c_attn"), Bias("attn.c_attn"));
        Tensor mixed_BTC = SelfAttention(qkv, config.Heads, causal: true, training ? config.AttentionDropout : 0);
        x_BTC += Dropout(Linear(mixed_BTC, Weight("attn.c_proj"), Bias("attn.c_proj")), residualDropout);

        Tensor inner_BTF = Gelu(
            Linear(Norm("ln_2", x_BTC), Weight("mlp.c_fc"), Bias("mlp.c_fc")), tanhApproximation: true);
        return x_BTC + Dropout(Linear(inner_BTF, Weight("mlp.c_proj"), Bias("mlp.c_proj")), residualDropout);

        Tensor Norm(string role, Tensor x) => LayerNorm(x, Weight(role), Bias(role), config.LayerNormEpsilon);
        Tensor Weight(string role) => parameters[layer, role + ".weight"];
        Tensor Bias(string role) => parameters[layer, role + ".bias"];
    }
}
