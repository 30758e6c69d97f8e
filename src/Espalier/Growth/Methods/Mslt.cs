using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Copies of the top layers are appended, and train alone: what lies below them runs forward only, and neither embeddings nor head
/// train. All train in the first stage and in the last (MSLT, arXiv 2011.13635). Until the model is whole, it is measured as it is
/// stored.
/// </summary>
public sealed record MsltConfig : StagedDepthConfig
{
    /// <inheritdoc/>
    public override string Name => "mslt";

    internal override LayerMapKind CopiesBy => LayerMapKind.Stack;

    private protected override MomentPolicy DefaultMoments => MomentPolicy.Keep;

    private protected override (int, double)[] DefaultStages(int layers) => Quarters(layers);

    /// <inheritdoc/>
    public override IProgressiveMethod Create(RunShape run) => new Method((MsltConfig)Resolve(run.FinalModel), run);

    private sealed class Method(MsltConfig config, RunShape run) : StagedDepth(config, run)
    {
        public override ForwardPlan Plan(ModelConfig model, TrainingPosition position, int microBatch)
        {
            int stage = Array.IndexOf(config.Stages, model.Layers);
            return stage <= 0 || stage == config.Stages.Length - 1
                ? ForwardPlan.Plain(model.Layers)
                : new ForwardPlan(
                    [.. Enumerable.Range(0, model.Layers).Select(i => new LayerRun(i, Trains: i >= config.Stages[stage - 1]))],
                    TrainsRest: false);
        }
    }
}
