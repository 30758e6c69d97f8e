using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Depth, width and the length of the sequences grow together (CompoundGrow, arXiv 2010.12562): width by copies of units that share
/// alike, depth by stacking. Held-out text is measured at the full length throughout.
/// </summary>
public sealed record CompoundGrowConfig : StagedSizesConfig
{
    /// <inheritdoc/>
    public override string Name => "compound-grow";

    /// <summary>
    /// `lengths`: tokens of a training sequence in each stage, divisors of the context length, the last being that. Empty: half of it in all
    /// stages but the last.
    /// </summary>
    public int[] Lengths { get; init; } = [];

    private protected override GrownSizes Grows => GrownSizes.Depth | GrownSizes.Width;

    private protected override MomentPolicy DefaultMoments => MomentPolicy.Map;

    private protected override string Reaches => "keep the size of a head";

    internal override GrowthOperator Growth(ModelConfig from, ModelConfig to, ulong seed) =>
        InTurn.Of(from, to, () => new Net2Net().To(to), () => new CopyLayers(to.Layers, LayerMapKind.Stack));

    /// <inheritdoc/>
    public override MethodConfig Resolve(ModelConfig final)
    {
        var resolved = (CompoundGrowConfig)base.Resolve(final);
        int context = final.ContextLength, shorter = context % 2 == 0 ? context / 2 : context;
        return Lengths.Length > 0 ? resolved : resolved with
        {
            Lengths = [.. Enumerable.Repeat(shorter, resolved.Stages.Length - 1), context],
        };
    }

    /// <inheritdoc/>
    public override IProgressiveMethod Create(RunShape run) => new Method((CompoundGrowConfig)Resolve(run.FinalModel), run);

    /// <inheritdoc/>
    internal override IEnumerable<ConfigProblem> Check(MethodSurroundings recipe)
    {
        const string Key = "lengths";
        foreach (ConfigProblem problem in base.Check(recipe))
        {
            yield return problem;
        }

        if (!recipe.IsClean(Key) || !recipe.IsClean("stages"))
        {
            yield break;
        }

        var resolved = (CompoundGrowConfig)Resolve(recipe.Model);
        int context = recipe.Model.ContextLength;
        int[] lengths = resolved.Lengths;
        if (lengths.Length != resolved.Stages.Length)
        {
            yield return new ConfigProblem(
                Key, $"{ConfigValue.Format(lengths)} are {lengths.Length} for {resolved.Stages.Length} stages", "give one for each stage", "stages");
        }
        else if (Array.Find(lengths, length => length < 1 || context % length != 0) is int odd && Array.Exists(lengths, length => length < 1 || context % length != 0))
        {
            yield return new ConfigProblem(
                Key, $"{odd} does not divide the context length {context}", "give divisors of it, so that an update keeps its tokens");
        }
        else if (lengths[^1] != context)
        {
            yield return new ConfigProblem(Key, $"{ConfigValue.Format(lengths)} ends with {lengths[^1]}", $"end with the context length, {context}");
        }
    }

    private sealed class Method(CompoundGrowConfig config, RunShape run) : StagedGrowth(config, run)
    {
        public override ForwardPlan Plan(ModelConfig model, TrainingPosition position, int microBatch) =>
            base.Plan(model, position, microBatch) with { Length = config.Lengths[position.Growths.Count] };
    }
}
