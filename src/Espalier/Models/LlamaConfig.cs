using System.ComponentModel.DataAnnotations;
using Espalier.Configuration;

namespace Espalier.Models;

/// <summary>A <see cref="Llama"/>: the keys of Hugging Face's <c>LlamaConfig</c>.</summary>
public sealed record LlamaConfig : RotaryConfig
{
    /// <inheritdoc/>
    public override string ModelType => "llama";

    /// <inheritdoc/>
    public override IArchitecture Architecture => new Llama(normsQueries: false);

    /// <summary>`head_dim`: elements of a head, even. Default (null): `hidden_size` over `num_attention_heads`.</summary>
    [YamlKey("head_dim"), Range(1, 1 << 16)]
    public int? HeadDim { get; init; }

    /// <summary>`mlp_bias`: biases of the feed-forward layer. Default false.</summary>
    public bool MlpBias { get; init; }

    /// <inheritdoc/>
    public override int HeadSize => HeadDim ?? HiddenSize / Heads;

    internal override bool HasFfnBias => MlpBias;

    /// <inheritdoc/>
    internal override (string Key, string What, string Remedy)? HeadProblem() => HeadDim is null && HiddenSize % Heads != 0
        ? ("num_attention_heads", $"{Heads} does not divide hidden_size {HiddenSize}", "choose others, or say their size by head_dim")
        : base.HeadProblem();

    /// <inheritdoc/>
    internal override ModelConfig Explicit() => (LlamaConfig)base.Explicit() with { HeadDim = HeadSize };
}
