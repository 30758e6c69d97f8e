using Espalier.Data;
using Espalier.Evaluation;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;

namespace Espalier.Training;

/// <summary>
/// Everything that determines a training run, and nothing else: two runs of equal recipes on the same machine end in
/// the same weights. Each part is owned by the room that obeys it. YAML on disk: <see cref="RecipeReader"/>,
/// <see cref="RecipeWriter"/>. Compare two with <see cref="RecipeDifference"/>: record equality compares the lists in
/// them by reference.
/// </summary>
public sealed record Recipe
{
    /// <summary>`name`: what reports call the run. Default: the recipe's file name without its extension.</summary>
    public string Name { get; init; } = "";

    /// <summary>`seed`: the source of all randomness: weights, batch order, depths, dropout. Default 42.</summary>
    public ulong Seed { get; init; } = 42;

    /// <summary>`model`: the final model, as Hugging Face names its sizes.</summary>
    public required ModelConfig Model { get; init; }

    /// <summary>
    /// `from`: a run, <c>RUN@STEP</c>, a checkpoint or a folder of a model in Hugging Face's form, whose weights the run begins with, at step 0 and with a
    /// fresh optimizer, in place of random ones. They have the sizes of the model that the method begins with. Default null: random ones.
    /// </summary>
    public string? From { get; init; }

    /// <summary>`data`: what it is trained on.</summary>
    public required DataConfig Data { get; init; }

    /// <summary>`training`: how long, in which portions, on which device.</summary>
    public required TrainingConfig Training { get; init; }

    /// <summary>`optimizer`: the update rule. Default AdamW.</summary>
    public OptimizerConfig Optimizer { get; init; } = new AdamWConfig();

    /// <summary>`parametrization`: how initial weights and learning rates go with the model's sizes. Default standard: not at all.</summary>
    public ParametrizationConfig Parametrization { get; init; } = new StandardParametrizationConfig();

    /// <summary>`learning_rate`: its peak and its course over the run.</summary>
    public required LearningRateConfig LearningRate { get; init; }

    /// <summary>`method`: how the model grows while it trains.</summary>
    public required MethodConfig Method { get; init; }

    /// <summary>`evaluation`: when, and on how much held-out text.</summary>
    public EvaluationConfig Evaluation { get; init; } = new();

    /// <summary>`checkpoint`: when to save, and how many to keep.</summary>
    public CheckpointConfig Checkpoint { get; init; } = new();

    /// <summary>`logging`: how often a row of metrics is written.</summary>
    public LoggingConfig Logging { get; init; } = new();

    /// <summary>The same recipe with every key that its method implies filled in.</summary>
    public Recipe Resolve() => this with { Method = Method.Resolve(Model) };
}
