using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Espalier.Data;
using Espalier.Models;

namespace Espalier.Interop;

/// <summary>
/// What a Llama's and a Qwen3's <c>config.json</c> share: the keys and defaults of Hugging Face's <c>LlamaConfig</c> and <c>Qwen3Config</c>.
/// Rotary frequencies stand under the keys that all versions of transformers read, and are read under the newer one too.
/// </summary>
internal abstract partial class RotaryJson : HuggingFaceFormat
{
    private const string Activation = "silu";

    public override TensorNames Names { get; } = new()
    {
        Prefix = "model.",
        Copies = new Dictionary<string, string> { ["lm_head.weight"] = "model.embed_tokens.weight" },
        Constants = Frequencies(),
        TaskHeads = HeadsOfTasks(),
    };

    protected static JsonObject Write(RotaryConfig model, Tokenizer tokenizer, string architecture) => new()
    {
        ["architectures"] = new JsonArray(architecture),
        ["attention_bias"] = model.AttentionBias,
        ["attention_dropout"] = model.AttentionDropout,
        ["bos_token_id"] = tokenizer.EndOfText,
        ["eos_token_id"] = tokenizer.EndOfText,
        ["head_dim"] = model.HeadSize,
        ["hidden_act"] = Activation,
        ["hidden_size"] = model.HiddenSize,
        ["initializer_range"] = model.InitializerRange,
        ["intermediate_size"] = model.FfnWidth,
        ["max_position_embeddings"] = model.ContextLength,
        ["num_attention_heads"] = model.Heads,
        ["num_hidden_layers"] = model.Layers,
        ["num_key_value_heads"] = model.HeadGroups,
        ["rms_norm_eps"] = model.LayerNormEpsilon,
        ["rope_scaling"] = Write(model.RopeScaling),
        ["rope_theta"] = model.RopeTheta,
        ["tie_word_embeddings"] = model.TiedHead,
        ["vocab_size"] = model.Vocabulary,
    };

    protected static RotaryConfig Read(ConfigReader json, RotaryConfig sizes)
    {
        json.Demand("hidden_act", Activation);
        int ffn = json.Required<int>("intermediate_size");
        (string key, ConfigReader rope) = json.Section("rope_parameters") is ConfigReader parameters ? ("rope_parameters", parameters)
            : ("rope_scaling", json.Section("rope_scaling") ?? ConfigReader.Empty);
        return sizes with
        {
            Layers = json.Required<int>("num_hidden_layers"),
            KeyValueHeads = sizes.KeyValueHeads == sizes.Heads ? null : sizes.KeyValueHeads,
            VocabularySize = json.Required<int>("vocab_size"),
            FfnSize = ffn == 4L * sizes.HiddenSize ? null : ffn,
            LayerNormEpsilon = json.Optional("rms_norm_eps", 1e-6),
            InitializerRange = json.Optional("initializer_range", 0.02),
            RopeTheta = rope.Optional("rope_theta", json.Optional("rope_theta", 10000.0)),
            RopeScaling = Scaling(json, key, rope),
            AttentionBias = json.Optional("attention_bias", false),
            AttentionDropout = json.Optional("attention_dropout", 0.0),
            TiedHead = json.Optional("tie_word_embeddings", false),
        };
    }

    private static RopeScaling Scaling(ConfigReader json, string key, ConfigReader rope)
    {
        string type = rope.Optional("rope_type", rope.Optional("type", "default"));
        return type switch
        {
            "default" => RopeScaling.None,
            "linear" => new RopeScaling(RopeType.Linear, Positive("factor")),
            "llama3" => Mixed(Positive("factor"), Positive("low_freq_factor"), Positive("high_freq_factor")),
            _ => throw json.Refused(key, $"has the type \"{type}\"", "Espalier computes default, linear and llama3 only."),
        };

        RopeScaling Mixed(double factor, double low, double high) => low < high
            ? new RopeScaling(RopeType.Llama3, factor, low, high, rope.Required<int>("original_max_position_embeddings"))
            : throw json.Refused(key, $"has low_freq_factor {low} and high_freq_factor {high}", "The first must be less than the second.");

        double Positive(string name) => rope.Required<double>(name) is > 0 and var value && double.IsFinite(value) ? value
            : throw json.Refused(key, $"has a {name} that is not above 0", "Copy the file from the model once more.");
    }

    private static JsonObject? Write(RopeScaling scaling) => scaling.Type switch
    {
        RopeType.Linear => new JsonObject { ["factor"] = scaling.Factor, ["rope_type"] = "linear" },
        RopeType.Llama3 => new JsonObject
        {
            ["factor"] = scaling.Factor,
            ["high_freq_factor"] = scaling.HighFrequency,
            ["low_freq_factor"] = scaling.LowFrequency,
            ["original_max_position_embeddings"] = scaling.OriginalContext,
            ["rope_type"] = "llama3",
        },
        _ => null,
    };

    [GeneratedRegex(@"^model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq$", RegexOptions.CultureInvariant)]
    private static partial Regex Frequencies();

    [GeneratedRegex(@"^(score|qa_outputs)\.(weight|bias)$", RegexOptions.CultureInvariant)]
    private static partial Regex HeadsOfTasks();
}
