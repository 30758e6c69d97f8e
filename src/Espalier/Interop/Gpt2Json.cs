using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Espalier.Data;
using Espalier.Models;

namespace Espalier.Interop;

/// <summary>A GPT-2's <c>config.json</c>: the keys and defaults of Hugging Face's <c>GPT2Config</c>.</summary>
internal sealed partial class Gpt2Json : HuggingFaceFormat
{
    private const string Activation = "gelu_new";

    public override TensorNames Names { get; } = new()
    {
        Prefix = "transformer.",
        Copies = new Dictionary<string, string> { ["lm_head.weight"] = "transformer.wte.weight" },
        Constants = Masks(),
        TaskHeads = HeadsOfTasks(),
    };

    public override JsonObject Write(ModelConfig model, Tokenizer tokenizer) => Write((Gpt2Config)model, tokenizer);

    private static JsonObject Write(Gpt2Config model, Tokenizer tokenizer) => new()
    {
        ["architectures"] = new JsonArray("GPT2LMHeadModel"),
        ["activation_function"] = Activation,
        ["attn_pdrop"] = model.AttentionDropout,
        ["bos_token_id"] = tokenizer.BeginOfSequence,
        ["embd_pdrop"] = model.EmbeddingDropout,
        ["eos_token_id"] = tokenizer.EndOfSequence,
        ["initializer_range"] = model.InitializerRange,
        ["layer_norm_epsilon"] = model.LayerNormEpsilon,
        ["n_ctx"] = model.ContextLength,
        ["n_embd"] = model.HiddenSize,
        ["n_head"] = model.Heads,
        ["n_inner"] = model.FfnSize,
        ["n_layer"] = model.Layers,
        ["n_positions"] = model.ContextLength,
        ["resid_pdrop"] = model.ResidualDropout,
        ["tie_word_embeddings"] = model.TiedHead,
        ["vocab_size"] = model.Vocabulary,
    };

    public override ModelConfig Read(ConfigReader json)
    {
        // Two names of one function.
        json.Demand("activation_function", Activation, "gelu_pytorch_tanh");
        json.Demand("scale_attn_weights", true);
        json.Demand("scale_attn_by_inverse_layer_idx", false);
        json.Demand("reorder_and_upcast_attn", false);
        return new Gpt2Config
        {
            Layers = json.Required<int>("n_layer"),
            HiddenSize = json.Required<int>("n_embd"),
            Heads = json.Required<int>("n_head"),
            ContextLength = json.Required<int>("n_positions"),
            VocabularySize = json.Required<int>("vocab_size"),
            FfnSize = json.Optional<int?>("n_inner", null),
            LayerNormEpsilon = json.Optional("layer_norm_epsilon", 1e-5),
            InitializerRange = json.Optional("initializer_range", 0.02),
            EmbeddingDropout = json.Optional("embd_pdrop", 0.1),
            AttentionDropout = json.Optional("attn_pdrop", 0.1),
            ResidualDropout = json.Optional("resid_pdrop", 0.1),
            TiedHead = json.Optional("tie_word_embeddings", true),
        };
    }

    [GeneratedRegex(@"^transformer\.h\.\d+\.attn\.(bias|masked_bias)$", RegexOptions.CultureInvariant)]
    private static partial Regex Masks();

    [GeneratedRegex(
        @"^(score\.weight|(classifier|qa_outputs)\.(weight|bias)|multiple_choice_head\..+)$",
        RegexOptions.CultureInvariant)]
    private static partial Regex HeadsOfTasks();
}
