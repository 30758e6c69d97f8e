using Espalier.Data;
using Espalier.Torch;

using static Espalier.Torch.Functional;

namespace Espalier.Models;

/// <summary>
/// GPT-2 as Hugging Face defines it: norms before the sublayers, learned positions, tanh-GELU, and a head that is by
/// default the token embedding. Linear weights lie (in, out), as its Conv1D stores them.
/// </summary>
internal sealed class Gpt2 : IArchitecture
{
    // Axes in the names and comments: B sequences, T positions, C hidden, F feed-forward, V vocabulary.
    private const string TokenEmbedding = "transformer.wte";
    private const string PositionEmbedding = "transformer.wpe";
    private const string FinalNorm = "transformer.ln_f";
    private const string UntiedHead = "lm_head";

    /// <inheritdoc/>
    public bool NormsComeFirst => true;

    /// <inheritdoc/>
    public bool SeesOnlyThePast => true;

    /// <inheritdoc/>
    public ISequenceHead SequenceHead => new LastTokenHead("GPT2ForSequenceClassification", "transformer.");

    /// <inheritdoc/>
    public IObjective Objective(Tokenizer tokenizer) => new NextToken();

    /// <inheritdoc/>
    public IReadOnlyList<ParameterSpec> Parameters(ModelConfig config)
    {
        var hidden = new Axis(AxisKind.Hidden, AxisSide.None, config.HiddenSize);
        Axis hiddenIn = hidden with { Side = AxisSide.Input };
        Axis hiddenOut = hidden with { Side = AxisSide.Output };
        var heads = new Axis(AxisKind.Heads, AxisSide.Input, config.Heads, config.HeadSize);
        Axis queryKeyValue = heads with { Side = AxisSide.Output, Parts = 3 };
        var ffn = new Axis(AxisKind.Ffn, AxisSide.Output, config.FfnWidth);
        var vocabulary = new Axis(AxisKind.Vocabulary, AxisSide.None, config.Vocabulary);
        var positions = new Axis(AxisKind.Position, AxisSide.None, config.ContextLength);

        List<ParameterSpec> specs =
        [
            Shared(TokenEmbedding + ".weight", [vocabulary, hiddenOut], Initialization.Normal),
            Shared(PositionEmbedding + ".weight", [positions, hiddenOut], Initialization.Normal),
        ];
        for (int layer = 0; layer < config.Layers; layer++)
        {
            specs.AddRange(
            [
                InLayer("ln_1.weight", [hidden], Initialization.Ones),
                InLayer("ln_1.bias", [hidden], Initialization.Zeros),
                InLayer("attn.c_attn.weight", [hiddenIn, queryKeyValue], Initialization.Normal) with { MakesQueries = true },
                InLayer("attn.c_attn.bias", [queryKeyValue], Initialization.Zeros) with { MakesQueries = true },
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

        ParameterSpec[] norm =
        [
            Shared(FinalNorm + ".weight", [hidden], Initialization.Ones),
            Shared(FinalNorm + ".bias", [hidden], Initialization.Zeros),
        ];
        specs.AddRange(norm.Select(spec => spec with { IsReadByHead = true, IsReadByTiedHead = config.TiedHead }));
        if (!config.TiedHead)
        {
            specs.Add(Shared(UntiedHead + ".weight", [vocabulary with { Side = AxisSide.Output }, hiddenIn], Initialization.Normal));
        }

        return specs;

        static ParameterSpec Shared(string name, Axis[] axes, Initialization initialization) =>
            new(name, null, name, axes, initialization);
    }

    /// <inheritdoc/>
    public Tensor Embed(ModelPart rest, ModelInput input)
    {
        Tensor positions_TC = rest[PositionEmbedding + ".weight"].Narrow(0, rest.FirstPosition, input.Length);
        Tensor x_BTC = Embedding(rest[TokenEmbedding + ".weight"], input.Ids) + positions_TC;
        return Dropout(rest.Masked(AxisKind.Hidden, x_BTC), rest.HasDropout ? Config(rest).EmbeddingDropout : 0);
    }

    /// <inheritdoc/>
    public Tensor Layer(ModelPart layer, Tensor x_BTC, Tensor? lengths_B)
    {
        Gpt2Config config = Config(layer);
        double residualDropout = layer.HasDropout ? config.ResidualDropout : 0;

        Tensor qkv = layer.Linear("attn.c_attn", layer.LayerNorm("ln_1", x_BTC));
        Tensor mixed_BTC = layer.Masked(AxisKind.Heads, SelfAttention(
            qkv, config.Heads, causal: true, layer.HasDropout ? config.AttentionDropout : 0, past: layer.Past));
        x_BTC = layer.Add(x_BTC, Dropout(layer.Linear("attn.c_proj", mixed_BTC), residualDropout));

        Tensor inner_BTF = Gelu(layer.Linear("mlp.c_fc", layer.LayerNorm("ln_2", x_BTC)), tanhApproximation: true);
        return layer.Add(
            x_BTC, Dropout(layer.Linear("mlp.c_proj", layer.Masked(AxisKind.Ffn, inner_BTF)), residualDropout));
    }

    /// <inheritdoc/>
    public Tensor Finish(ModelPart rest, Tensor x_BTC) => rest.LayerNorm(FinalNorm, x_BTC);

    /// <inheritdoc/>
    public Tensor Logits(ModelPart rest, Tensor hidden) => rest.Linear(HeadRole(rest), hidden, transposed: true);

    /// <inheritdoc/>
    public Tensor LossSum(ModelPart rest, Tensor hidden_NC, Tensor targets_N) =>
        rest.LossSum(hidden_NC, rest[HeadRole(rest) + ".weight"], Tensor.None, targets_N);

    /// <inheritdoc/>
    public FlopsCount LayerCost(ModelConfig config, int sequences, int length) => FlopsCount.OfLayer(config, sequences, length);

    /// <inheritdoc/>
    public FlopsCount HeadCost(ModelConfig config, double predictions) =>
        new(0, 0, 2.0 * config.HiddenSize * config.Vocabulary * predictions);

    private static Gpt2Config Config(ModelPart part) => (Gpt2Config)part.Config;

    private static string HeadRole(ModelPart rest) => rest.Config.TiedHead ? TokenEmbedding : UntiedHead;
}
