using Espalier.Growth;
using Espalier.Models;
using Espalier.Training;

namespace Espalier.Planning;

/// <summary>What a recipe will cost before it runs, and what training its final model from scratch for as long would.</summary>
/// <param name="Stages">Stage by stage.</param>
/// <param name="Scratch">The final model from the first update to the last.</param>
/// <param name="TotalSteps">The updates of the whole run.</param>
/// <param name="IsExact">Whether what random plans cost is their exact mean; else it is the mean of such as were drawn.</param>
/// <param name="Looked">The updates that were looked at, spread evenly; all of them where they are as many as the run has.</param>
internal sealed record ExpectedCost(
    IReadOnlyList<CostStage> Stages, FlopsCount Scratch, long TotalSteps, bool IsExact, long Looked)
{
    // Of longer runs, as many updates: a stage's boundary is then off by a millionth of the run at most.
    private const long MostSteps = 1_000_000;

    // Of methods whose plans are drawn.
    private const long MostDraws = 20_000;

    /// <summary>All stages.</summary>
    public FlopsCount Flops => Stages.Aggregate(default(FlopsCount), (sum, stage) => sum + stage.Flops);

    /// <summary>The share of training from scratch, the vocabulary head included.</summary>
    public double Share => Flops.Total / Scratch.Total;

    /// <summary>The share of training from scratch, the vocabulary head left out.</summary>
    public double ShareWithoutHead => (Flops.Layers + Flops.Attention) / (Scratch.Layers + Scratch.Attention);

    /// <summary>Works a recipe's cost out.</summary>
    /// <param name="recipe">The recipe.</param>
    /// <param name="model">Its final model, the vocabulary filled in.</param>
    /// <param name="predictedShare">The share of positions that go through the vocabulary head.</param>
    public static ExpectedCost Of(Recipe recipe, ModelConfig model, double predictedShare = 1)
    {
        var plan = new RunPlan(recipe, model, predictedShare);
        long looked = Math.Min(plan.TotalSteps, plan.CostIsExact ? MostSteps : MostDraws);
        var scratch = new RunPlan(recipe with { Method = new ScratchConfig() }, model, predictedShare);
        return new ExpectedCost(
            plan.Stages(looked), scratch.Foresee(1).Single().Cost * plan.TotalSteps, plan.TotalSteps, plan.CostIsExact, looked);
    }
}
