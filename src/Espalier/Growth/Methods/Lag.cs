using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// At each growth several operators are tried on copies of the run, and the one whose loss is the lowest after some updates is taken;
/// trials are charged (landscape-aware growing, arXiv 2406.02469).
/// </summary>
public sealed record LagConfig : StagedSizesConfig
{
    /// <inheritdoc/>
    public override string Name => "lag";

    /// <summary>`operators`: the names of those that are tried, as `espalier grow --list` shows them. Each grows all that differs.</summary>
    public string[] Operators { get; init; } = ["interpolate", "stack", "zero-output-layers", "fresh-layers"];

    /// <summary>`trial`: how long each is tried. Default 1 % of the run.</summary>
    public Duration Trial { get; init; } = Duration.Percent(1);

    private protected override GrownSizes Grows =>
        OperatorNames.Entries(Operators).Aggregate(GrownSizes.Depth | GrownSizes.Width, (grown, entry) => grown & entry.Grows);

    private protected override MomentPolicy DefaultMoments => MomentPolicy.Map;

    private protected override string Reaches => "try operators that grow all that differs; espalier grow --list shows what each grows";

    internal override GrowthOperator Growth(ModelConfig from, ModelConfig to, ulong seed) =>
        new BestOnTrial([.. OperatorNames.Entries(Operators).Select(entry => entry.Reach(from, to, new GrowthSettings { Seed = seed }.Of(entry.Takes)))], TrialSteps);

    /// <inheritdoc/>
    public override IProgressiveMethod Create(RunShape run) =>
        new StagedGrowth(this with { TrialSteps = (int)Math.Max(1, run.Steps(Trial)) }, run);

    /// <inheritdoc/>
    internal override IEnumerable<ConfigProblem> Check(MethodSurroundings recipe)
    {
        ConfigProblem[] problems = [.. OperatorNames.Check(Operators, least: 2)];
        return problems.Length > 0 ? problems : base.Check(recipe);
    }

    /// <summary>The trial in this run.</summary>
    private int TrialSteps { get; init; } = 1;
}
