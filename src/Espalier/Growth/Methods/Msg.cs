using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// New units and layers begin as those of a new model, behind a mask that opens on a straight line, so that the model computes what it did
/// when it grows; norms count what is open. The learning rate is put back to its peak (MSG, arXiv 2305.02869; moments and rate as in
/// the released code).
/// </summary>
public sealed record MsgConfig : StagedSizesConfig
{
    /// <inheritdoc/>
    public override string Name => "msg";

    /// <summary>`grow_time`: how long the mask takes to open. Default 1 % of the run.</summary>
    public Duration GrowTime { get; init; } = Duration.Percent(1);

    private protected override GrownSizes Grows => GrownSizes.Depth | GrownSizes.Width;

    private protected override MomentPolicy DefaultMoments => MomentPolicy.Keep;

    private protected override ScheduleMove DefaultSchedule => ScheduleMove.Peak;

    private protected override string Reaches => "keep the size of a head";

    internal override GrowthOperator Growth(ModelConfig from, ModelConfig to, ulong seed) =>
        InTurn.Of(from, to, () => new FreshUnits().To(to), () => new FreshLayers(to.Layers));

    /// <inheritdoc/>
    public override IProgressiveMethod Create(RunShape run) => new Method(this, run);

    private sealed class Method(MsgConfig config, RunShape run) : StagedGrowth(config, run)
    {
        private readonly long _growTime = Math.Max(1, run.Steps(config.GrowTime));

        public override ForwardPlan Plan(ModelConfig model, TrainingPosition position, int microBatch)
        {
            double open = position.Growths.LastOrDefault() is { } last ? (position.Step - last.Step) / (double)_growTime : 1;
            if (open >= 1)
            {
                return ForwardPlan.Plain(model.Layers);
            }

            ModelConfig before = Stage(position.Growths.Count - 1);
            WidthMask? mask = GrowthSize.Difference(before, model).HasFlag(GrownSizes.Width)
                ? new WidthMask(
                    new UnitMask(before.HiddenSize, open), new UnitMask(before.HeadGroups, open), new UnitMask(before.FfnWidth, open))
                : null;
            return new ForwardPlan(
                [
                    .. Enumerable.Range(0, model.Layers).Select(layer =>
                        new LayerRun(layer, Scale: layer < before.Layers ? 1 : open, Mask: mask)),
                ],
                RestMask: mask);
        }

        public override ForwardPlan EvaluationPlan(ModelConfig model, TrainingPosition position) => Plan(model, position, 0);
    }
}
