using System.ComponentModel.DataAnnotations;
using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>How long a drawn depth holds.</summary>
public enum DepthDraw
{
    /// <summary>One micro-batch (released Apollo).</summary>
    MicroBatch,

    /// <summary>All micro-batches of an update.</summary>
    Update,
}

/// <summary>
/// Few stored layers, each micro-batch executed at a drawn depth: practice for the depth to come (Apollo, arXiv 2401.09192,
/// AAAI 2024).
/// </summary>
public sealed record ApolloConfig : StagedDepthConfig
{
    /// <inheritdoc/>
    public override string Name => "apollo";

    /// <summary>`sampler`: how the executed depth is drawn. Default lvps.</summary>
    public DepthSamplerKind Sampler { get; init; } = DepthSamplerKind.Lvps;

    /// <summary>`lvps_begin_offset`: LVPS's `begin` is L/N plus this. Default 0.4.</summary>
    [Range(0.0, 100.0, MinimumIsExclusive = true)]
    public double LvpsBeginOffset { get; init; } = 0.4;

    /// <summary>`lvps_end`: LVPS's `end`; below 1, so that the shallowest depth is the likeliest. Default 0.6.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true)]
    public double LvpsEnd { get; init; } = 0.6;

    /// <summary>`inverse_power`: k of the inverse-power sampler; 0 is uniform, large is shallow. Default 5.</summary>
    [Range(0.0, 1000.0)]
    public double InversePower { get; init; } = 5;

    /// <summary>`draw`: a depth per micro-batch or per update. Default micro-batch.</summary>
    public DepthDraw Draw { get; init; } = DepthDraw.MicroBatch;

    /// <summary>
    /// `sharing_map`: which stored layer each executed one uses: interpolate, stack, or a list of stored layers, one for each
    /// of the final model. Default interpolate.
    /// </summary>
    public LayerMapChoice SharingMap { get; init; } = LayerMapChoice.Interpolate;

    /// <summary>`growth_map`: which old layer each layer of the next stage is a copy of. Default interpolate.</summary>
    public LayerMapKind GrowthMap { get; init; }

    internal override LayerMapKind CopiesBy => GrowthMap;

    internal override LayerMapChoice SharesBy => SharingMap;

    private protected override MomentPolicy DefaultMoments => MomentPolicy.Keep;

    /// <summary>The released schedule: 1-3-6-12 layers, growing at 5, 10 and 25 % of the run; scaled to other depths.</summary>
    internal static (int Layers, double Percent)[] ReleasedStages(int layers) =>
        [(1, 0), (layers / 4, 5), (layers / 2, 10), (layers, 25)];

    private protected override (int, double)[] DefaultStages(int layers) => ReleasedStages(layers);

    /// <inheritdoc/>
    public override IProgressiveMethod Create(RunShape run) => new Method(this, run);

    /// <inheritdoc/>
    internal override IEnumerable<ConfigProblem> Check(MethodSurroundings recipe)
    {
        ConfigProblem[] problems = [.. base.Check(recipe).Concat(SharingMap.Check(recipe, this))];
        bool drawsBetween = Sampler is not (DepthSamplerKind.Full or DepthSamplerKind.None);
        return problems.Length == 0 && SharingMap.Custom is not null && drawsBetween
            && recipe.IsClean("sampler") && recipe.IsClean("sharing_map")
            ?
            [
                new ConfigProblem(
                    "sharing_map",
                    $"the sampler {ConfigKeys.Kebab(Sampler)} draws depths between {((StagedDepthConfig)Resolve(recipe.Model)).Stages[0]} and {recipe.Layers}, for which a list says nothing",
                    "set method.sampler to full or none, or take interpolate or stack"),
            ]
            : problems;
    }

    private sealed class Method : StagedDepth
    {
        private (int Stored, IReadOnlyList<(double, ForwardPlan)> Plans) _known = (0, []);

        private readonly DepthSampler _sampler;
        private readonly DepthDraw _draw;

        public Method(ApolloConfig config, RunShape run)
            : base(config, run) => (_sampler, _draw) = (new DepthSampler(config), config.Draw);

        public override ForwardPlan Plan(ModelConfig model, TrainingPosition position, int microBatch)
        {
            int draw = _draw == DepthDraw.Update ? 0 : microBatch;
            double uniform = new CounterRandom(Seed, RandomPurpose.Depth, position.Step, draw).NextDouble();
            return Share(model.Layers, _sampler.Draw(uniform, model.Layers, FinalLayers));
        }

        public override IReadOnlyList<(double Probability, ForwardPlan Plan)> Plans(ModelConfig model, TrainingPosition position)
        {
            if (_known.Stored != model.Layers)
            {
                _known = (model.Layers,
                [
                    .. _sampler.Distribution(model.Layers, FinalLayers)
                        .Select((probability, i) => (probability, Share(model.Layers, model.Layers + i)))
                        .Where(plan => plan.probability > 0),
                ]);
            }

            return _known.Plans;
        }
    }
}
