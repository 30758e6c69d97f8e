using System.ComponentModel.DataAnnotations;
using Espalier.Configuration;

namespace Espalier.Models;

/// <summary>
/// Initial weights and learning rates that agree with the standard ones at a base model, and at other sizes are such that the best
/// learning rate stays where it was. See <see cref="Mup"/>.
/// </summary>
public sealed record MupConfig : ParametrizationConfig
{
    /// <inheritdoc/>
    public override string Name => "mup";

    /// <summary>`base_hidden_size`: the hidden size of the base model, on which learning rates were found.</summary>
    [Range(1, 1 << 20)]
    public required int BaseHiddenSize { get; init; }

    /// <summary>`base_ffn_size`: its feed-forward width. Default (null): in the ratio of the recipe's model.</summary>
    [Range(1, 1 << 24)]
    public int? BaseFfnSize { get; init; }

    /// <summary>`base_head_size`: elements of its attention heads. Default (null): those of the recipe's model.</summary>
    [Range(1, 1 << 16)]
    public int? BaseHeadSize { get; init; }

    /// <summary>`base_layers`: its depth. Default (null): learning rates do not go with depth.</summary>
    [Range(1, 1024)]
    public int? BaseLayers { get; init; }

    /// <summary>
    /// `depth_alpha`: what a layer adds to the residual stream is in proportion to 1 / layers^this. Default (null): 1, as CompleteP
    /// has it; 0.5 is that of depth-muP. Only with `base_layers`.
    /// </summary>
    [Range(0.5, 1.0)]
    public double? DepthAlpha { get; init; }

    /// <inheritdoc/>
    public override Mup Of(ModelConfig model) => new(this, model);

    /// <inheritdoc/>
    internal override IEnumerable<ConfigProblem> Check(ModelConfig model)
    {
        if (BaseLayers is not null && !model.Architecture.NormsComeFirst)
        {
            yield return new ConfigProblem(
                "base_layers", $"learning rates carry over depth where norms come before the sublayers, and those of {model.ModelType} come after",
                "leave it out: rates then carry over width alone");
        }

        if (DepthAlpha is not null && BaseLayers is null)
        {
            yield return new ConfigProblem("depth_alpha", "says nothing without base_layers", "give base_layers, or leave it out");
        }
    }
}
