using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>Grows by any operators, from sizes to sizes: for comparing operators with all else alike.</summary>
public sealed record GrowConfig : StagedSizesConfig
{
    /// <inheritdoc/>
    public override string Name => "grow";

    /// <summary>
    /// `operators`: names of growth operators, as `espalier grow --list` shows them. Each growth takes those in turn that grow
    /// what differs. Default interpolate.
    /// </summary>
    public string[] Operators { get; init; } = ["interpolate"];

    private protected override GrownSizes Grows =>
        OperatorNames.Entries(Operators).Aggregate(GrownSizes.None, (grown, entry) => grown | entry.Grows);

    private protected override MomentPolicy DefaultMoments => MomentPolicy.Map;

    private protected override string Reaches => "name an operator for all that grows; espalier grow --list shows what each grows";

    internal override GrowthOperator Growth(ModelConfig from, ModelConfig to, ulong seed) =>
        GrowthOperators.InTurn([.. OperatorNames.Entries(Operators)]).Make(from, to, new GrowthSettings { Seed = seed });

    /// <inheritdoc/>
    internal override IEnumerable<ConfigProblem> Check(MethodSurroundings recipe)
    {
        ConfigProblem[] problems = [.. OperatorNames.Check(Operators, least: 1)];
        return problems.Length > 0 ? problems : base.Check(recipe);
    }
}
