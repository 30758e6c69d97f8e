using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Espalier.Data;
using Espalier.Models;

namespace Espalier.Interop;

/// <summary>A BERT's <c>config.json</c>: the keys and defaults of Hugging Face's <c>BertConfig</c>.</summary>
internal sealed partial class BertJson : HuggingFaceFormat
{
    private const string Activation = "gelu", Positions = "absolute";

    public override TensorNames Names { get; } = new()
    {
        Prefix = "bert.",
        Endings = new Dictionary<string, string>
        {
            ["LayerNorm.gamma"] = "LayerNorm.weight",
            ["LayerNorm.beta"] = "LayerNorm.bias",
        },
        Copies = new Dictionary<string, string>
        {
            ["cls.predictions.decoder.weight"] = "bert.embeddings.word_embeddings.weight",
            ["cls.predictions.decoder.bias"] = "cls.predictions.bias",
        },
        // From transformers 5 on; before, both were one.
        InUseWhenUntied = new HashSet<string> { "cls.predictions.decoder.bias" },
        Constants = PositionsAndTypes(),
        Unused = NextSentence(),
        TaskHeads = HeadsOfTasks(),
    };

    public override JsonObject Write(ModelConfig model, Tokenizer tokenizer) => Write((BertConfig)model, tokenizer);

    private static JsonObject Write(BertConfig model, Tokenizer tokenizer) => new()
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

    public override ModelConfig Read(ConfigReader json)
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

    [GeneratedRegex(@"^bert\.embeddings\.(position_ids|token_type_ids)$", RegexOptions.CultureInvariant)]
    private static partial Regex PositionsAndTypes();

    [GeneratedRegex(@"^cls\.seq_relationship\.(weight|bias)$", RegexOptions.CultureInvariant)]
    private static partial Regex NextSentence();

    [GeneratedRegex(@"^(classifier|qa_outputs)\.(weight|bias)$", RegexOptions.CultureInvariant)]
    private static partial Regex HeadsOfTasks();
}
