using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Between the layers, spread evenly, stand copies that add nothing as yet; from then on they train alone, and all else rests (LLaMA Pro,
/// arXiv 2401.02415).
/// </summary>
public sealed record LlamaProConfig : StagedDepthConfig
{
    /// <inheritdoc/>
    public override string Name => "llama-pro";

    private protected override MomentPolicy DefaultMoments => MomentPolicy.Keep;

    /// <summary>A quarter of the layers that there were are added, as in the paper, half-way.</summary>
    private protected override (int, double)[] DefaultStages(int layers) => [(Math.Max(1, layers * 4 / 5), 0), (layers, 50)];

    internal override GrowthOperator Growth(int stored, int wanted) => new ZeroOutputLayers(wanted);

    /// <inheritdoc/>
    public override IProgressiveMethod Create(RunShape run) => new Method((LlamaProConfig)Resolve(run.FinalModel), run);

    private sealed class Method(LlamaProConfig config, RunShape run) : StagedDepth(config, run)
    {
        public override ForwardPlan Plan(ModelConfig model, TrainingPosition position, int microBatch)
        {
            if (position.Growths.Count == 0)
            {
                return ForwardPlan.Plain(model.Layers);
            }

            int[] sources = LayerMap.Spread(config.Stages[position.Growths.Count - 1], model.Layers);
            return new ForwardPlan(
                [.. sources.Select((source, layer) => new LayerRun(layer, Trains: layer > 0 && sources[layer - 1] == source))],
                TrainsRest: false);
        }
    }
}
