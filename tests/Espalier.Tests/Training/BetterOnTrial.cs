using Espalier.Growth;
using Espalier.Models;

namespace Espalier.Tests.Training;

/// <summary>Grows copies of the state in two ways, lets them train, and keeps the way of the lower loss (LAG, in small).</summary>
/// <param name="Count">The layers to store from now on.</param>
/// <param name="Steps">The updates of a trial.</param>
internal sealed record BetterOnTrial(int Count, int Steps) : GrowthOperator
{
    /// <summary>Hears of the losses of a way's trial.</summary>
    public Action<LayerMapKind, IReadOnlyList<double>>? Hear { get; init; }

    public override ModelConfig Grow(ModelConfig model) => model with { Layers = Count };

    public override Promise Promise(ModelConfig model) => new(Kept.Not, Dynamics: false);

    public override string ToString() => $"better-on-trial {Count} {Steps}";

    public override TrainingState Apply(TrainingState state, IGrowthContext context) =>
        Way(Enum.GetValues<LayerMapKind>().MinBy(map =>
        {
            using TrainingState trial = Way(map).Apply(state.Copy(), context);
            IReadOnlyList<double> losses = context.Train(trial, Steps);
            Hear?.Invoke(map, losses);
            return losses[^1];
        })).Apply(state, context);

    private CopyLayers Way(LayerMapKind map) => new(Count, map) { Moments = Moments };
}
