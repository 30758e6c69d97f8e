using System.ComponentModel.DataAnnotations;
using Espalier.Configuration;

namespace Espalier.Models;

/// <summary>A <see cref="Llama"/> that norms queries and keys: the keys of Hugging Face's <c>Qwen3Config</c>.</summary>
public sealed record Qwen3Config : RotaryConfig
{
    /// <inheritdoc/>
    public override string ModelType => "qwen3";

    /// <inheritdoc/>
    public override IArchitecture Architecture => new Llama(normsQueries: true);

    /// <summary>`head_dim`: elements of a head, even. Default 128.</summary>
    [YamlKey("head_dim"), Range(1, 1 << 16)]
    public int HeadDim { get; init; } = 128;

    /// <inheritdoc/>
    public override int HeadSize => HeadDim;
}
