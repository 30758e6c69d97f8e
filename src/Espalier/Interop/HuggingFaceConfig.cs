using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Models;

namespace Espalier.Interop;

/// <summary>A model's <c>config.json</c>, as Hugging Face's <c>GPT2Config</c> writes and reads it.</summary>
internal static class HuggingFaceConfig
{
    public const string FileName = "config.json";

    private const string Activation = "gelu_new";

    private static readonly Dictionary<SafetensorsDType, string> TorchNames = new()
    {
        [SafetensorsDType.F32] = "float32",
        [SafetensorsDType.BF16] = "bfloat16",
        [SafetensorsDType.F16] = "float16",
    };

    public static string Write(
        ModelConfig model, int? endOfText, SafetensorsDType type = SafetensorsDType.F32) => new JsonObject
    {
        ["architectures"] = new JsonArray("GPT2LMHeadModel"),
        ["model_type"] = "gpt2",
        ["activation_function"] = Activation,
        ["attn_pdrop"] = model.AttentionDropout,
        ["bos_token_id"] = endOfText,
        ["embd_pdrop"] = model.EmbeddingDropout,
        ["eos_token_id"] = endOfText,
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
        ["torch_dtype"] = TorchNames[type],
        ["vocab_size"] = model.Vocabulary,
    }.ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n";

    public static ModelConfig Read(string path)
    {
        JsonObject json = JsonFile.ReadObject(path);
        string type = Required<string>("model_type");
        if (type != "gpt2")
        {
            throw new UserErrorException($"{path}: model_type is '{type}'.", "Espalier reads gpt2.");
        }

        string activation = Optional("activation_function", Activation);
        if (activation != Activation)
        {
            throw new UserErrorException(
                $"{path}: activation_function is '{activation}'.", $"Espalier computes GPT-2 with '{Activation}'.");
        }

        return new ModelConfig
        {
            Layers = Required<int>("n_layer"),
            HiddenSize = Required<int>("n_embd"),
            Heads = Required<int>("n_head"),
            ContextLength = Required<int>("n_positions"),
            VocabularySize = Required<int>("vocab_size"),
            FfnSize = Optional<int?>("n_inner", null),
            LayerNormEpsilon = Optional("layer_norm_epsilon", 1e-5),
            InitializerRange = Optional("initializer_range", 0.02),
            EmbeddingDropout = Optional("embd_pdrop", 0.1),
            AttentionDropout = Optional("attn_pdrop", 0.1),
            ResidualDropout = Optional("resid_pdrop", 0.1),
            TiedHead = Optional("tie_word_embeddings", true),
        };

        T Required<T>(string key) => json[key] is null
            ? throw new UserErrorException($"{path}: the key '{key}' is missing.")
            : Optional<T>(key, default!);

        T Optional<T>(string key, T fallback)
        {
            try
            {
                return json[key] is JsonNode node ? node.GetValue<T>() : fallback;
            }
            catch (Exception exception) when (exception is InvalidOperationException or FormatException)
            {
                throw new UserErrorException($"{path}: the key '{key}' has the wrong type: {json[key]}.", inner: exception);
            }
        }
    }
}
