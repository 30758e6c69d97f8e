using System.ComponentModel.DataAnnotations;
using Espalier.Configuration;

namespace Espalier.Models;

/// <summary>A <see cref="Gpt2"/>: the keys of Hugging Face's <c>GPT2Config</c>.</summary>
public sealed record Gpt2Config : ModelConfig
{
    /// <inheritdoc/>
    public override string ModelType => "gpt2";

    /// <inheritdoc/>
    public override IArchitecture Architecture => new Gpt2();

    /// <summary>`n_layer`: transformer blocks of the final model. Default 12.</summary>
    [YamlKey("n_layer"), Range(1, 1024)]
    public override int Layers { get; init; } = 12;

    /// <summary>`n_embd`: width C of the residual stream.</summary>
    [YamlKey("n_embd"), Range(1, 1 << 20)]
    public required override int HiddenSize { get; init; }

    /// <summary>`n_head`: attention heads; must divide `n_embd`.</summary>
    [YamlKey("n_head"), Range(1, 1 << 20)]
    public required override int Heads { get; init; }

    /// <summary>`n_positions`: tokens T of one training sequence, and the most the model can read.</summary>
    [YamlKey("n_positions"), Range(1, 1 << 24)]
    public required override int ContextLength { get; init; }

    /// <summary>`n_inner`: width of the feed-forward layer. Default (null): 4 x `n_embd`.</summary>
    [YamlKey("n_inner"), Range(1, 1 << 24)]
    public override int? FfnSize { get; init; }

    /// <summary>`vocab_size`: rows of the token embedding. Default (null): the size of the data's tokenizer.</summary>
    [YamlKey("vocab_size"), Range(1, 1 << 24)]
    public override int? VocabularySize { get; init; }

    /// <summary>`layer_norm_epsilon`: added to the variance in every layer norm. Default 1e-5.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true)]
    public override double LayerNormEpsilon { get; init; } = 1e-5;

    /// <summary>
    /// `initializer_range`: standard deviation of initial weights; residual projections start at this over the square
    /// root of 2 x `n_layer` (GPT-2). Default 0.02.
    /// </summary>
    [Range(0.0, 10.0, MinimumIsExclusive = true)]
    public override double InitializerRange { get; init; } = 0.02;

    /// <summary>`embd_pdrop`: dropout probability after the embeddings. Default 0.</summary>
    [YamlKey("embd_pdrop"), Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double EmbeddingDropout { get; init; }

    /// <summary>`attn_pdrop`: dropout probability of attention weights. Default 0.</summary>
    [YamlKey("attn_pdrop"), Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double AttentionDropout { get; init; }

    /// <summary>`resid_pdrop`: dropout probability of what each sublayer adds to the residual stream. Default 0.</summary>
    [YamlKey("resid_pdrop"), Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double ResidualDropout { get; init; }

    /// <summary>`tie_word_embeddings`: the vocabulary head is the token embedding, transposed. Default true.</summary>
    [YamlKey("tie_word_embeddings")]
    public override bool TiedHead { get; init; } = true;

    /// <inheritdoc/>
    public override ModelConfig WithDropout(double probability) =>
        this with { EmbeddingDropout = probability, AttentionDropout = probability, ResidualDropout = probability };
}
