using System.ComponentModel.DataAnnotations;

namespace Espalier.Experiments;

/// <summary>
/// An experiment: arms of one recipe, each at every budget with every learning rate of its sweep, then with every seed at its best
/// rate. Two arms are compared where both have spent the same FLOPs and have ended their schedules.
/// </summary>
public sealed record ExperimentConfig
{
    /// <summary>`name`: what reports call it. Default: the file's name without its extension.</summary>
    public string Name { get; init; } = "";

    /// <summary>`recipe`: the recipe that all arms begin with, beside the experiment's file or by its whole path.</summary>
    public required string Recipe { get; init; }

    /// <summary>`set`: what all arms set in the recipe.</summary>
    public RecipeOverrides Set { get; init; } = RecipeOverrides.None;

    /// <summary>`budgets`: how many FLOPs a run may spend, the vocabulary head and all growth included.</summary>
    public required double[] Budgets { get; init; }

    /// <summary>`learning_rates`: the peaks that every arm tries, unless it lists its own under `learning_rate.peak`.</summary>
    public double[] LearningRates { get; init; } = [];

    /// <summary>`seeds`: one run each at the best rate; weights, order of the data and draws follow from it. Default 1, 2, 3.</summary>
    public ulong[] Seeds { get; init; } = [1, 2, 3];

    /// <summary>`sweep_seeds`: how many of the seeds, from the first, choose the best rate. Default 1.</summary>
    [Range(1, 1000)]
    public int SweepSeeds { get; init; } = 1;

    /// <summary>
    /// `target`: the arm whose loss the others are to reach for less, usually the final model from scratch. Default: none.
    /// </summary>
    public string? Target { get; init; }

    /// <summary>`arms`: by name, what each sets in the recipe.</summary>
    public required ExperimentArms Arms { get; init; }
}
