using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>What the methods have in common whose stages may be of any sizes, width included.</summary>
public abstract record StagedSizesConfig : StagedGrowthConfig
{
    /// <summary>
    /// `stages`: the sizes of each stage under the names of the model's configuration, such as [n_embd=32, n_embd=64]; the last being the
    /// final model's. What is not named follows from it. Empty: the method's own.
    /// </summary>
    public ModelSizes[] Stages { get; init; } = [];

    /// <summary>What the method grows where stages are not given: from half of it, each.</summary>
    private protected abstract GrownSizes Grows { get; }

    /// <summary>When each stage but the first begins, where boundaries are not given.</summary>
    /// <param name="from">The model before.</param>
    /// <param name="to">The model then.</param>
    /// <param name="growth">Which growth it is, from 1.</param>
    /// <param name="growths">How many there are.</param>
    private protected virtual GrowthTrigger DefaultBoundary(ModelConfig from, ModelConfig to, int growth, int growths) =>
        Duration.Percent(100.0 * growth / (growths + 1));

    /// <inheritdoc/>
    public override MethodConfig Resolve(ModelConfig final)
    {
        ArgumentNullException.ThrowIfNull(final);
        var filled = (StagedSizesConfig)Filled() with
        {
            Stages = Stages.Length > 0 ? Stages : ModelSizes.OfAll([.. DefaultStages(final)]),
        };
        return Boundaries.Length > 0 ? filled : filled with { Boundaries = filled.OwnBoundaries(final) };
    }

    /// <inheritdoc/>
    public override IProgressiveMethod Create(RunShape run) => new StagedGrowth(this, run);

    internal sealed override IReadOnlyList<ModelConfig> Models(ModelConfig final) => [.. Stages.Select(sizes => sizes.Apply(final))];

    /// <inheritdoc/>
    internal override IEnumerable<ConfigProblem> Check(MethodSurroundings recipe)
    {
        foreach (ConfigProblem problem in base.Check(recipe))
        {
            yield return problem;
        }

        if (!recipe.IsClean("stages") || recipe.Model.Heads < 1 || recipe.Model.HeadProblem() is not null)
        {
            yield break;
        }

        var resolved = (StagedSizesConfig)Resolve(recipe.Model);
        if (resolved.OfStages(recipe) is ConfigProblem ofStages)
        {
            yield return ofStages;
        }
        else if (recipe.IsClean("boundaries")
            && StageChecks.OfBoundaries([.. resolved.Stages], resolved.Boundaries, recipe.Run) is ConfigProblem ofBoundaries)
        {
            yield return ofBoundaries;
        }
    }

    /// <summary>The stages where none are given.</summary>
    private protected virtual IEnumerable<ModelConfig> DefaultStages(ModelConfig final) => FromHalf(final, Grows);

    /// <summary>Half of all that grows, and all of it.</summary>
    private protected static IEnumerable<ModelConfig> FromHalf(ModelConfig final, GrownSizes grows)
    {
        ModelConfig half = final;
        if (grows.HasFlag(GrownSizes.Depth) && final.Layers > 1)
        {
            half = half with { Layers = final.Layers / 2 };
        }

        if (grows.HasFlag(GrownSizes.Width) && final.HeadGroups % 2 == 0 && final.HiddenSize % 2 == 0 && (final.FfnSize ?? 0) % 2 == 0)
        {
            half = half.WithWidth(final.HiddenSize / 2, final.Heads / 2, final.FfnSize / 2);
        }

        return half == final ? [final] : [half, final];
    }

    /// <summary>The model of each stage; none where a stage is wrong, of which the check of the recipe tells.</summary>
    private protected IReadOnlyList<ModelConfig> ModelsIfRight(ModelConfig final)
    {
        try
        {
            return Models(final);
        }
        catch (UserErrorException)
        {
            return [];
        }
    }

    private GrowthTrigger[] OwnBoundaries(ModelConfig final)
    {
        IReadOnlyList<ModelConfig> models = ModelsIfRight(final);
        return [.. models.Skip(1).Select((model, i) => DefaultBoundary(models[i], model, i + 1, models.Count - 1))];
    }

    private ConfigProblem? OfStages(MethodSurroundings recipe)
    {
        const string Key = "stages";
        ModelConfig model = recipe.Model;
        ModelConfig? before = null;
        foreach (ModelSizes sizes in Stages)
        {
            try
            {
                ModelConfig stage = sizes.Apply(model);
                if (before is not null)
                {
                    GrowthSize[] all = GrowthSize.Of(model);
                    if (Array.Find(all, size => size.In(stage) < size.In(before)) is GrowthSize less)
                    {
                        return new ConfigProblem(
                            Key, $"`{sizes}` has {less.Key} {less.In(stage)}, less than the {less.In(before)} of the stage before",
                            "let each stage be larger");
                    }

                    if (all.All(size => size.In(stage) == size.In(before)))
                    {
                        return new ConfigProblem(Key, $"`{sizes}` is no larger than the stage before", "let each stage be larger");
                    }

                    ModelConfig grown = (Growth(before, stage, seed: 0) with { Moments = Moments!.Value }).Grow(before);
                    if (Array.Exists(all, size => size.In(grown) != size.In(stage)))
                    {
                        return new ConfigProblem(
                            Key, $"{Name} does not grow `{ModelSizes.Of(before, stage)}` to `{ModelSizes.Of(stage, before)}`", Reaches);
                    }
                }

                before = stage;
            }
            catch (UserErrorException exception)
            {
                return new ConfigProblem(
                    Key, $"`{sizes}`: {exception.Message.TrimEnd('.')}", exception.Hint?.TrimEnd('.') ?? ModelSizes.Expected);
            }
            catch (ArgumentException exception)
            {
                return new ConfigProblem(Key, $"`{sizes}`: {exception.Message.TrimEnd('.')}", Reaches);
            }
        }

        ModelConfig last = before!;
        return Array.Find(GrowthSize.Of(model), size => size.In(last) != size.In(model)) is GrowthSize missed
            ? new ConfigProblem(
                Key, $"the last, `{Stages[^1]}`, has {missed.Key} {missed.In(last)} where the model has {missed.In(model)}",
                $"end with `{ModelSizes.OfAll([.. Models(model), model])[^1]}`")
            : null;
    }

    /// <summary>What the method can grow to, as advice.</summary>
    private protected abstract string Reaches { get; }
}
