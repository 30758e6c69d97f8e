using System.ComponentModel.DataAnnotations;
using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Optimization;

/// <summary>
/// The update rule and gradient clipping: a section of the recipe, whose key `name` says which rule; without it AdamW. Each has its
/// own record, with its own keys and defaults.
/// </summary>
[ConfigVariant("name", "adamw", typeof(AdamWConfig), IsDefault = true)]
[ConfigVariant("name", "muon", typeof(MuonConfig))]
[ConfigVariant("name", "muon-nsgd", typeof(MuonNsgdConfig))]
[ConfigVariant("name", "sgd", typeof(SgdConfig))]
public abstract record OptimizerConfig
{
    /// <summary>`name`: the update rule; it says which other keys there are. Default adamw.</summary>
    public abstract string Name { get; }

    /// <summary>`weight_decay`: decoupled decay, times the learning rate, of matrices only. Default 0.01.</summary>
    [Range(0.0, 10.0)]
    public double WeightDecay { get; init; } = 0.01;

    /// <summary>`clip_norm`: the most the global gradient norm may be; 0 switches clipping off. Default 1.</summary>
    [Range(0.0, 1e9)]
    public double ClipNorm { get; init; } = 1.0;

    /// <summary>The update rule.</summary>
    public abstract IOptimizer Create();

    /// <summary>The update rule of a run.</summary>
    /// <param name="mup">How its learning rates go with the model's sizes; null for not at all.</param>
    public IOptimizer Create(Mup? mup) => mup is null ? Create() : new MupOptimizer(Create(), mup);

    /// <summary>The decay of a parameter's weights.</summary>
    internal double DecayOf(ParameterSpec parameter) => parameter.Decays ? WeightDecay : 0;
}
