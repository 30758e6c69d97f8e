using System.Text.Json.Nodes;
using Espalier.Data;
using Espalier.Models;

namespace Espalier.Interop;

/// <summary>A BERT's <c>config.json</c>: the keys and defaults of Hugging Face's <c>BertConfig</c>.</summary>
internal static class BertJson
{
    private const string Activation = "gelu", Positions = "absolute";

    public static JsonObject Write(BertConfig model, Tokenizer tokenizer) => new()
    {
        ["architectures"] = new JsonArray("BertForMaskedLM"),
        ["attention_probs_dropout_prob"] = model.AttentionDropout,
        ["hidden_act"] = Activation,
        ["hidden_dropout_prob"] = model.HiddenDropout,
        ["hidden_size"] = model.HiddenSize,
        ["initializer_range"] = model.InitializerRange,
        ["intermediate_size"] = model.FfnWidth,
        ["layer_norm_eps"] = model.LayerNormEpsilon,
        ["max_position_embeddings"] = model.ContextLength,
        ["num_attention_heads"] = model.Heads,
        ["num_hidden_layers"] = model.Layers,
        ["pad_token_id"] = tokenizer.IdOf("[PAD]"),
        ["position_embedding_type"] = Positions,
        ["tie_word_embeddings"] = model.TiedHead,
        ["type_vocab_size"] = model.TypeVocabularySize,
        ["vocab_size"] = model.Vocabulary,
    };

    public static ModelConfig Read(ConfigReader json)
    {
        json.Demand("hidden_act", Activation);
        json.Demand("position_embedding_type", Positions);
        json.Demand("is_decoder", false);
        int hidden = json.Required<int>("hidden_size"), ffn = json.Required<int>("intermediate_size");
        return new BertConfig
        {
            Layers = json.Required<int>("num_hidden_layers"),
            HiddenSize = hidden,
            Heads = json.Required<int>("num_attention_heads"),
            ContextLength = json.Required<int>("max_position_embeddings"),
            VocabularySize = json.Required<int>("vocab_size"),
            FfnSize = ffn == 4L * hidden ? null : ffn,
            TypeVocabularySize = json.Optional("type_vocab_size", 2),
            LayerNormEpsilon = json.Optional("layer_norm_eps", 1e-12),
            InitializerRange = json.Optional("initializer_range", 0.02),
            HiddenDropout = json.Optional("hidden_dropout_prob", 0.1),
            AttentionDropout = json.Optional("attention_probs_dropout_prob", 0.1),
            TiedHead = json.Optional("tie_word_embeddings", true),
        };
    }
}
