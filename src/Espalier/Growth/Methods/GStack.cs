using Espalier.Configuration;

namespace Espalier.Growth;

/// <summary>
/// One hop to four times the layers, the whole stacked upon itself, then a new optimizer and the learning rate's schedule from its
/// beginning (G_stack, arXiv 2405.15319).
/// </summary>
public sealed record GStackConfig : StagedDepthConfig
{
    private const int Factor = 4;

    /// <inheritdoc/>
    public override string Name => "g-stack";

    internal override LayerMapKind CopiesBy => LayerMapKind.Stack;

    private protected override MomentPolicy DefaultMoments => MomentPolicy.Reset;

    private protected override ScheduleMove DefaultSchedule => ScheduleMove.Restart;

    /// <summary>
    /// After a tenth of the run: the paper's law wants a model's size and budget, and `espalier plan` computes it. A quarter of the layers,
    /// or the next divisor below.
    /// </summary>
    private protected override (int, double)[] DefaultStages(int layers)
    {
        int most = Math.Max(1, layers / Factor);
        return [(Enumerable.Range(1, most).Last(stored => layers % stored == 0), 0), (layers, 10)];
    }

    /// <inheritdoc/>
    public override IProgressiveMethod Create(RunShape run) => new StagedDepth(this, run);

    /// <inheritdoc/>
    internal override IEnumerable<ConfigProblem> Check(MethodSurroundings recipe)
    {
        ConfigProblem[] problems = [.. base.Check(recipe)];
        int[] stages = ((StagedDepthConfig)Resolve(recipe.Model)).Stages;
        return problems.Length > 0 || !recipe.IsClean("stages") || stages.Length < 2 || stages[1] % stages[0] == 0 ? problems :
        [
            new ConfigProblem(
                "stages", $"{stages[1]} layers are not a multiple of {stages[0]}", "stack whole models, or take the method progressive"),
        ];
    }
}
