using System.ComponentModel.DataAnnotations;
using Espalier.Configuration;

namespace Espalier.Models;

/// <summary>What <see cref="Llama"/>-like models share: the keys of Hugging Face's <c>LlamaConfig</c> and <c>Qwen3Config</c>.</summary>
public abstract record RotaryConfig : ModelConfig
{
    /// <summary>`num_hidden_layers`: transformer blocks of the final model. Default 12.</summary>
    [YamlKey("num_hidden_layers"), Range(1, 1024)]
    public override int Layers { get; init; } = 12;

    /// <summary>`hidden_size`: width C of the residual stream.</summary>
    [Range(1, 1 << 20)]
    public required override int HiddenSize { get; init; }

    /// <summary>`num_attention_heads`: query heads H.</summary>
    [YamlKey("num_attention_heads"), Range(1, 1 << 20)]
    public required override int Heads { get; init; }

    /// <summary>`num_key_value_heads`: heads G of keys and values; must divide `num_attention_heads`. Default (null): as many.</summary>
    [YamlKey("num_key_value_heads"), Range(1, 1 << 20)]
    public int? KeyValueHeads { get; init; }

    /// <summary>`max_position_embeddings`: tokens T of one training sequence, and the most the model can read.</summary>
    [YamlKey("max_position_embeddings"), Range(1, 1 << 24)]
    public required override int ContextLength { get; init; }

    /// <summary>`intermediate_size`: width of the feed-forward layer. Default (null): 4 x `hidden_size`.</summary>
    [YamlKey("intermediate_size"), Range(1, 1 << 24)]
    public override int? FfnSize { get; init; }

    /// <summary>`vocab_size`: rows of the token embedding. Default (null): the size of the data's tokenizer.</summary>
    [YamlKey("vocab_size"), Range(1, 1 << 24)]
    public override int? VocabularySize { get; init; }

    /// <summary>`rms_norm_eps`: added to the mean of squares in every norm. Default 1e-6.</summary>
    [YamlKey("rms_norm_eps"), Range(0.0, 1.0, MinimumIsExclusive = true)]
    public override double LayerNormEpsilon { get; init; } = 1e-6;

    /// <summary>`initializer_range`: standard deviation of initial weights. Default 0.02.</summary>
    [Range(0.0, 10.0, MinimumIsExclusive = true)]
    public override double InitializerRange { get; init; } = 0.02;

    /// <summary>`rope_theta`: the base of the rotary frequencies. Default 10000.</summary>
    [Range(1.0, 1e12, MinimumIsExclusive = true)]
    public double RopeTheta { get; init; } = 10000;

    /// <summary>`rope_scaling`: `default`, `linear FACTOR`, or `llama3 FACTOR LOW HIGH CONTEXT`. Default `default`.</summary>
    public RopeScaling RopeScaling { get; init; } = RopeScaling.None;

    /// <summary>`attention_bias`: biases of queries, keys, values and attention's output. Default false.</summary>
    public bool AttentionBias { get; init; }

    /// <summary>`attention_dropout`: dropout probability of attention weights. Default 0.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double AttentionDropout { get; init; }

    /// <summary>`tie_word_embeddings`: the vocabulary head is the token embedding, transposed. Default false.</summary>
    [YamlKey("tie_word_embeddings")]
    public override bool TiedHead { get; init; }

    /// <summary>Whether feed-forward layers have biases.</summary>
    internal virtual bool HasFfnBias => false;

    /// <inheritdoc/>
    public override int HeadGroups => KeyValueHeads ?? Heads;

    /// <inheritdoc/>
    public override ModelConfig WithDropout(double probability) => this with { AttentionDropout = probability };

    /// <inheritdoc/>
    internal override ModelConfig WithWidth(int hidden, int heads, int? ffn)
    {
        int shared = Heads / HeadGroups;
        return heads % shared == 0
            ? this with
            {
                HiddenSize = hidden,
                Heads = heads,
                FfnSize = ffn,
                KeyValueHeads = KeyValueHeads is null ? null : heads / shared,
            }
            : throw new UserErrorException(
                $"num_attention_heads {heads} is no multiple of {shared}, the query heads that share one of num_key_value_heads.",
                $"Heads of keys and values grow with those of queries: choose a multiple of {shared}.");
    }

    /// <inheritdoc/>
    internal override (string Key, string What, string Remedy)? HeadProblem() =>
        Heads % HeadGroups != 0
            ? ("num_key_value_heads", $"{HeadGroups} does not divide num_attention_heads {Heads}", "choose a divisor, or leave it out")
        : HeadSize % 2 != 0
            ? ("head_dim", $"is {HeadSize}, and rotary positions turn pairs of elements", "choose an even head_dim")
        : null;

    /// <inheritdoc/>
    internal override ModelConfig Explicit() => this with { FfnSize = FfnWidth, KeyValueHeads = HeadGroups };
}
