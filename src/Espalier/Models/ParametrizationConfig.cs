using Espalier.Configuration;

namespace Espalier.Models;

/// <summary>
/// How initial weights and learning rates go with the sizes of a model: a section of the recipe, whose key `name` says which way.
/// </summary>
[ConfigVariant("name", "standard", typeof(StandardParametrizationConfig), IsDefault = true)]
[ConfigVariant("name", "mup", typeof(MupConfig))]
public abstract record ParametrizationConfig
{
    /// <summary>`name`: standard or mup. Default standard.</summary>
    public abstract string Name { get; }

    /// <summary>The scaling for a run.</summary>
    /// <param name="model">The model that the run ends with.</param>
    /// <returns>Null for none: one initial deviation and one learning rate for all.</returns>
    public abstract Mup? Of(ModelConfig model);

    /// <summary>What no key can tell by itself.</summary>
    internal virtual IEnumerable<ConfigProblem> Check(ModelConfig model) => [];
}

/// <summary>One initial deviation and one learning rate, at every size.</summary>
public sealed record StandardParametrizationConfig : ParametrizationConfig
{
    /// <inheritdoc/>
    public override string Name => "standard";

    /// <inheritdoc/>
    public override Mup? Of(ModelConfig model) => null;
}
