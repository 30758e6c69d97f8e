using System.ComponentModel.DataAnnotations;
using Espalier.Recipes;

namespace Espalier.Models;

/// <summary>A model architecture.</summary>
public enum ModelType
{
    /// <summary>GPT-2 as Hugging Face defines it: pre-norm decoder, learned positions, tanh-GELU.</summary>
    Gpt2,
}

/// <summary>The final model of a run. Keys and defaults are those of Hugging Face's `config.json`.</summary>
public sealed record ModelConfig
{
    /// <summary>`model_type`: the architecture. Default gpt2.</summary>
    public ModelType ModelType { get; init; } = ModelType.Gpt2;

    /// <summary>`n_layer`: transformer blocks of the final model. Default 12.</summary>
    [YamlKey("n_layer"), Range(1, 1024)]
    public int Layers { get; init; } = 12;

    /// <summary>`n_embd`: width C of the residual stream.</summary>
    [YamlKey("n_embd"), Range(1, 1 << 20)]
    public required int HiddenSize { get; init; }

    /// <summary>`n_head`: attention heads; must divide `n_embd`.</summary>
    [YamlKey("n_head"), Range(1, 1 << 20)]
    public required int Heads { get; init; }

    /// <summary>`n_positions`: tokens T of one training sequence, and the most the model can read.</summary>
    [YamlKey("n_positions"), Range(1, 1 << 24)]
    public required int ContextLength { get; init; }

    /// <summary>`n_inner`: width of the feed-forward layer. Default (null): 4 x `n_embd`.</summary>
    [YamlKey("n_inner"), Range(1, 1 << 24)]
    public int? FfnSize { get; init; }

    /// <summary>`vocab_size`: rows of the token embedding. Default (null): the size of the data's tokenizer.</summary>
    [YamlKey("vocab_size"), Range(1, 1 << 24)]
    public int? VocabularySize { get; init; }

    /// <summary>`layer_norm_epsilon`: added to the variance in every layer norm. Default 1e-5.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true)]
    public double LayerNormEpsilon { get; init; } = 1e-5;

    /// <summary>
    /// `initializer_range`: standard deviation of initial weights; residual projections start at this over the square
    /// root of 2 x `n_layer` (GPT-2). Default 0.02.
    /// </summary>
    [Range(0.0, 10.0, MinimumIsExclusive = true)]
    public double InitializerRange { get; init; } = 0.02;

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
    public bool TiedHead { get; init; } = true;

    /// <summary>F: the width of the feed-forward layer.</summary>
    public int FfnWidth => FfnSize ?? 4 * HiddenSize;

    /// <summary>V: the rows of the token embedding.</summary>
    /// <exception cref="InvalidOperationException">Neither the recipe nor the data has said yet.</exception>
    public int Vocabulary => VocabularySize
        ?? throw new InvalidOperationException("the vocabulary size is not known yet: it comes from the data");
}
