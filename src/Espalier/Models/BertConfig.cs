using System.ComponentModel.DataAnnotations;
using Espalier.Configuration;

namespace Espalier.Models;

/// <summary>A <see cref="Bert"/>: the keys of Hugging Face's <c>BertConfig</c>.</summary>
public sealed record BertConfig : ModelConfig
{
    /// <inheritdoc/>
    public override string ModelType => "bert";

    /// <inheritdoc/>
    public override IArchitecture Architecture => new Bert();

    /// <summary>`num_hidden_layers`: transformer blocks of the final model. Default 12.</summary>
    [YamlKey("num_hidden_layers"), Range(1, 1024)]
    public override int Layers { get; init; } = 12;

    /// <summary>`hidden_size`: width C of the residual stream.</summary>
    [Range(1, 1 << 20)]
    public required override int HiddenSize { get; init; }

    /// <summary>`num_attention_heads`: attention heads; must divide `hidden_size`.</summary>
    [YamlKey("num_attention_heads"), Range(1, 1 << 20)]
    public required override int Heads { get; init; }

    /// <summary>`max_position_embeddings`: tokens T of one training sequence, and the most the model can read.</summary>
    [YamlKey("max_position_embeddings"), Range(3, 1 << 24)]
    public required override int ContextLength { get; init; }

    /// <summary>`intermediate_size`: width of the feed-forward layer. Default (null): 4 x `hidden_size`.</summary>
    [YamlKey("intermediate_size"), Range(1, 1 << 24)]
    public override int? FfnSize { get; init; }

    /// <summary>`vocab_size`: rows of the token embedding. Default (null): the size of the data's tokenizer.</summary>
    [YamlKey("vocab_size"), Range(1, 1 << 24)]
    public override int? VocabularySize { get; init; }

    /// <summary>`type_vocab_size`: segments a token can belong to. Default 2.</summary>
    [YamlKey("type_vocab_size"), Range(1, 1 << 20)]
    public int TypeVocabularySize { get; init; } = 2;

    /// <inheritdoc/>
    public override int SegmentCount => TypeVocabularySize;

    /// <summary>`layer_norm_eps`: added to the variance in every layer norm. Default 1e-12.</summary>
    [YamlKey("layer_norm_eps"), Range(0.0, 1.0, MinimumIsExclusive = true)]
    public override double LayerNormEpsilon { get; init; } = 1e-12;

    /// <summary>`initializer_range`: standard deviation of initial weights. Default 0.02.</summary>
    [Range(0.0, 10.0, MinimumIsExclusive = true)]
    public override double InitializerRange { get; init; } = 0.02;

    /// <summary>
    /// `hidden_dropout_prob`: dropout probability after the embeddings, and of what each sublayer adds. Default 0.
    /// </summary>
    [YamlKey("hidden_dropout_prob"), Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double HiddenDropout { get; init; }

    /// <summary>`attention_probs_dropout_prob`: dropout probability of attention weights. Default 0.</summary>
    [YamlKey("attention_probs_dropout_prob"), Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double AttentionDropout { get; init; }

    /// <summary>`tie_word_embeddings`: the decoder of the head is the token embedding, transposed. Default true.</summary>
    [YamlKey("tie_word_embeddings")]
    public override bool TiedHead { get; init; } = true;

    /// <inheritdoc/>
    public override ModelConfig WithDropout(double probability) =>
        this with { HiddenDropout = probability, AttentionDropout = probability };
}
