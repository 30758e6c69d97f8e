using Espalier.Data;
using Espalier.Torch;

using static Espalier.Torch.Functional;

namespace Espalier.Models;

/// <summary>
/// Llama and Qwen3 as Hugging Face defines them: root-mean-square norms before the sublayers, rotary positions, query heads that
/// share those of keys and values, a gated feed-forward layer, and a head that is by default a matrix of its own. Linear weights
/// lie (out, in). Of the axes a unit of heads is a key/value head with its query heads: so growth and masks keep them together.
/// </summary>
/// <param name="normsQueries">Whether each head of queries and keys is normed, as in Qwen3.</param>
internal sealed class Llama(bool normsQueries) : IArchitecture
{
    // Axes in the names and comments: B sequences, T positions, C hidden, F feed-forward, V vocabulary.
    private const string TokenEmbedding = "model.embed_tokens";
    private const string FinalNorm = "model.norm";
    private const string UntiedHead = "lm_head";

    /// <inheritdoc/>
    public bool NormsComeFirst => true;

    /// <inheritdoc/>
    public bool NormsTakeMean => false;

    /// <inheritdoc/>
    public bool UnitsAreGated => true;

    /// <inheritdoc/>
    public bool SeesOnlyThePast => true;

    /// <inheritdoc/>
    public ISequenceHead SequenceHead => new LastTokenHead(
        normsQueries ? "Qwen3ForSequenceClassification" : "LlamaForSequenceClassification", "model.");

    /// <inheritdoc/>
    public IObjective Objective(Tokenizer tokenizer) => new NextToken();

    /// <inheritdoc/>
    public IReadOnlyList<ParameterSpec> Parameters(ModelConfig config)
    {
        var rotary = (RotaryConfig)config;
        var hidden = new Axis(AxisKind.Hidden, AxisSide.None, config.HiddenSize);
        Axis hiddenIn = hidden with { Side = AxisSide.Input };
        Axis hiddenOut = hidden with { Side = AxisSide.Output };
        var keys = new Axis(AxisKind.Heads, AxisSide.Output, config.HeadGroups, config.HeadSize);
        Axis queries = keys with { UnitSize = config.Heads / config.HeadGroups * config.HeadSize };
        var element = new Axis(AxisKind.HeadElement, AxisSide.None, config.HeadSize);
        var ffn = new Axis(AxisKind.Ffn, AxisSide.Output, config.FfnWidth);
        var vocabulary = new Axis(AxisKind.Vocabulary, AxisSide.None, config.Vocabulary);

        List<ParameterSpec> specs = [Shared(TokenEmbedding + ".weight", [vocabulary, hiddenOut], Initialization.Normal)];
        for (int layer = 0; layer < config.Layers; layer++)
        {
            specs.AddRange(
            [
                Norm("input_layernorm", hidden),
                .. Linear("self_attn.q_proj", queries, hiddenIn, rotary.AttentionBias).Select(spec => spec with { MakesQueries = !normsQueries }),
                .. Linear("self_attn.k_proj", keys, hiddenIn, rotary.AttentionBias),
                .. Linear("self_attn.v_proj", keys, hiddenIn, rotary.AttentionBias),
                .. Linear("self_attn.o_proj", hiddenOut, queries with { Side = AxisSide.Input }, rotary.AttentionBias),
                .. normsQueries
                    ? [Norm("self_attn.q_norm", element) with { MakesQueries = true }, Norm("self_attn.k_norm", element)] : Array.Empty<ParameterSpec>(),
                Norm("post_attention_layernorm", hidden),
                .. Linear("mlp.gate_proj", ffn, hiddenIn, rotary.HasFfnBias),
                .. Linear("mlp.up_proj", ffn, hiddenIn, rotary.HasFfnBias),
                .. Linear("mlp.down_proj", hiddenOut, ffn with { Side = AxisSide.Input }, rotary.HasFfnBias),
            ]);

            ParameterSpec InLayer(string role, Axis[] axes, Initialization initialization) =>
                new($"model.layers.{layer}.{role}", layer, role, axes, initialization);

            ParameterSpec Norm(string role, Axis axis) => InLayer(role + ".weight", [axis], Initialization.Ones);

            IEnumerable<ParameterSpec> Linear(string role, Axis output, Axis input, bool hasBias)
            {
                yield return InLayer(role + ".weight", [output, input], Initialization.Normal);
                if (hasBias)
                {
                    yield return InLayer(role + ".bias", [output], Initialization.Zeros);
                }
            }
        }

        specs.Add(Shared(FinalNorm + ".weight", [hidden], Initialization.Ones) with
        {
            IsReadByHead = true,
            IsReadByTiedHead = config.TiedHead,
        });
        if (!config.TiedHead)
        {
            specs.Add(Shared(UntiedHead + ".weight", [vocabulary with { Side = AxisSide.Output }, hiddenIn], Initialization.Normal));
        }

        return specs;

        static ParameterSpec Shared(string name, Axis[] axes, Initialization initialization) =>
            new(name, null, name, axes, initialization);
    }

    /// <inheritdoc/>
    public Tensor Embed(ModelPart rest, ModelInput input) =>
        rest.Masked(AxisKind.Hidden, Embedding(rest[TokenEmbedding + ".weight"], input.Ids));

    /// <inheritdoc/>
    public Tensor Layer(ModelPart layer, Tensor x_BTC, Tensor? lengths_B)
    {
        x_BTC = layer.Add(x_BTC, Attention(layer, layer.RmsNorm("input_layernorm", x_BTC)));
        Tensor read_BTC = layer.RmsNorm("post_attention_layernorm", x_BTC);
        Tensor inner_BTF = SiluGate(
            layer.Linear("mlp.gate_proj", read_BTC, transposed: true), layer.Linear("mlp.up_proj", read_BTC, transposed: true));
        return layer.Add(x_BTC, layer.Linear("mlp.down_proj", layer.Masked(AxisKind.Ffn, inner_BTF), transposed: true));
    }

    /// <inheritdoc/>
    public Tensor Finish(ModelPart rest, Tensor x_BTC) => rest.RmsNorm(FinalNorm, x_BTC);

    /// <inheritdoc/>
    public Tensor Logits(ModelPart rest, Tensor hidden) => rest.Linear(HeadRole(rest), hidden, transposed: true);

    /// <inheritdoc/>
    public Tensor LossSum(ModelPart rest, Tensor hidden_NC, Tensor targets_N) =>
        rest.LossSum(hidden_NC, rest[HeadRole(rest) + ".weight"], Tensor.None, targets_N);

    /// <summary>
    /// Queries and output are 2 C H d a token, keys and values 2 C G d, the feed-forward layer 3 C F; attention scores and
    /// their mixing T H d each.
    /// </summary>
    /// <inheritdoc/>
    public FlopsCount LayerCost(ModelConfig config, int sequences, int length)
    {
        double tokens = (double)sequences * length, hidden = config.HiddenSize, queries = (double)config.Heads * config.HeadSize;
        double keys = (double)config.HeadGroups * config.HeadSize;
        return new FlopsCount(
            2 * hidden * ((2 * queries) + (2 * keys) + (3.0 * config.FfnWidth)) * tokens, 2 * 2 * queries * length * tokens, 0);
    }

    /// <inheritdoc/>
    public FlopsCount HeadCost(ModelConfig config, double predictions) =>
        new(0, 0, 2.0 * config.HiddenSize * config.Vocabulary * predictions);

    private Tensor Attention(ModelPart layer, Tensor read_BTC)
    {
        var config = (RotaryConfig)layer.Config;
        float[] frequencies = config.RopeScaling.Frequencies(config.RopeTheta, config.HeadSize);
        Tensor turns = Tensor.From<float>(frequencies, [frequencies.Length], read_BTC.Device);
        Tensor mixed = RotaryAttention(
            Heads("q", config.Heads), Heads("k", config.HeadGroups), Projected("v"), config.Heads, config.HeadGroups, turns,
            layer.Positions, layer.HasDropout ? config.AttentionDropout : 0, layer.Past);
        return layer.Linear("self_attn.o_proj", layer.Masked(AxisKind.Heads, mixed), transposed: true);

        Tensor Projected(string part) => layer.Linear($"self_attn.{part}_proj", read_BTC, transposed: true);

        Tensor Heads(string part, int heads)
        {
            Tensor x = Projected(part);
            if (!normsQueries)
            {
                return x;
            }

            Tensor weight = layer[$"self_attn.{part}_norm.weight"];
            return RmsNorm(x.Reshape(-1, heads, config.HeadSize), weight, config.LayerNormEpsilon).Reshape(x.Shape);
        }
    }

    private static string HeadRole(ModelPart rest) => rest.Config.TiedHead ? TokenEmbedding : UntiedHead;
}
