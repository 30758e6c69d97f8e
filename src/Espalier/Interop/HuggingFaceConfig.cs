using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Data;
using Espalier.Models;

namespace Espalier.Interop;

/// <summary>A model's <c>config.json</c>, as Hugging Face's <c>GPT2Config</c> and <c>BertConfig</c> write and read it.</summary>
internal static class HuggingFaceConfig
{
    public const string FileName = "config.json";

    private const string Gpt2Activation = "gelu_new", BertActivation = "gelu";

    // JsonObject would find duplicates only when it is first asked for a key.
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    public static string Write(ModelConfig model, Tokenizer tokenizer) =>
        (model switch
        {
            Gpt2Config gpt2 => Gpt2Json(gpt2, tokenizer),
            BertConfig bert => BertJson(bert, tokenizer),
            _ => throw new ArgumentException($"no config.json of {model.ModelType}", nameof(model)),
        }).ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n";

    private static JsonObject Gpt2Json(Gpt2Config model, Tokenizer tokenizer) => new()
    {
        ["architectures"] = new JsonArray("GPT2LMHeadModel"),
        ["model_type"] = "gpt2",
        ["activation_function"] = Gpt2Activation,
        ["attn_pdrop"] = model.AttentionDropout,
        ["bos_token_id"] = tokenizer.EndOfText,
        ["embd_pdrop"] = model.EmbeddingDropout,
        ["eos_token_id"] = tokenizer.EndOfText,
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
        ["torch_dtype"] = "float32",
        ["vocab_size"] = model.Vocabulary,
    };

    private static JsonObject BertJson(BertConfig model, Tokenizer tokenizer) => new()
    {
        ["architectures"] = new JsonArray("BertForMaskedLM"),
        ["model_type"] = "bert",
        ["attention_probs_dropout_prob"] = model.AttentionDropout,
        ["hidden_act"] = BertActivation,
        ["hidden_dropout_prob"] = model.HiddenDropout,
        ["hidden_size"] = model.HiddenSize,
        ["initializer_range"] = model.InitializerRange,
        ["intermediate_size"] = model.FfnWidth,
        ["layer_norm_eps"] = model.LayerNormEpsilon,
        ["max_position_embeddings"] = model.ContextLength,
        ["num_attention_heads"] = model.Heads,
        ["num_hidden_layers"] = model.Layers,
        ["pad_token_id"] = tokenizer.IdOf("[PAD]"),
        ["position_embedding_type"] = "absolute",
        ["tie_word_embeddings"] = model.TiedHead,
        ["torch_dtype"] = "float32",
        ["type_vocab_size"] = model.TypeVocabularySize,
        ["vocab_size"] = model.Vocabulary,
    };

    public static ModelConfig Read(string path)
    {
        JsonObject json = ReadObject(path);
        string type = Required<string>("model_type");
        switch (type)
        {
            case "gpt2":
                Demand("activation_function", Gpt2Activation);
                return new Gpt2Config
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
            case "bert":
                Demand("hidden_act", BertActivation);
                Demand("position_embedding_type", "absolute");
                int hiddenSize = Required<int>("hidden_size"), ffn = Required<int>("intermediate_size");
                return new BertConfig
                {
                    Layers = Required<int>("num_hidden_layers"),
                    HiddenSize = hiddenSize,
                    Heads = Required<int>("num_attention_heads"),
                    ContextLength = Required<int>("max_position_embeddings"),
                    VocabularySize = Required<int>("vocab_size"),
                    FfnSize = ffn == 4 * hiddenSize ? null : ffn,
                    TypeVocabularySize = Optional("type_vocab_size", 2),
                    LayerNormEpsilon = Optional("layer_norm_eps", 1e-12),
                    InitializerRange = Optional("initializer_range", 0.02),
                    HiddenDropout = Optional("hidden_dropout_prob", 0.1),
                    AttentionDropout = Optional("attention_probs_dropout_prob", 0.1),
                    TiedHead = Optional("tie_word_embeddings", true),
                };
            default:
                throw new UserErrorException($"{path}: model_type is '{type}'.", "Espalier reads gpt2 and bert.");
        }

        void Demand(string key, string computed)
        {
            string asked = Optional(key, computed);
            if (asked != computed)
            {
                throw new UserErrorException($"{path}: {key} is '{asked}'.", $"Espalier computes {type} with '{computed}'.");
            }
        }

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

    /// <summary>Reads a file that must hold a JSON object.</summary>
    public static JsonObject ReadObject(string path)
    {
        try
        {
            return JsonNode.Parse(File.ReadAllText(path), documentOptions: Strict) as JsonObject
                ?? throw new UserErrorException($"{path} holds no JSON object.");
        }
        catch (JsonException exception)
        {
            throw new UserErrorException($"{path} is not valid JSON: {exception.Message}", inner: exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{path} cannot be read: {exception.Message}", inner: exception);
        }
    }
}
