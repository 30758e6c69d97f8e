using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// What every progressive method decides, and nothing else: the model to begin with, what each micro-batch executes,
/// when and how the training state grows, and what the learning rate does then. Training from scratch is the method
/// that begins with the final model and never grows.
/// </summary>
public sealed class ProgressiveMethod
{
    private readonly MethodConfig _config;
    private readonly DepthSampler _sampler;
    private readonly int _finalLayers;
    private readonly ulong _seed;
    private readonly long _rewarmSteps;

    /// <summary>The method of a recipe, for a run of known length.</summary>
    /// <param name="config">The recipe's method; its empty keys take the method's defaults.</param>
    /// <param name="finalModel">The model to end with.</param>
    /// <param name="totalSteps">The steps of the whole run.</param>
    /// <param name="tokensPerStep">The tokens of one step.</param>
    /// <param name="seed">The run's seed.</param>
    public ProgressiveMethod(
        MethodConfig config, ModelConfig finalModel, long totalSteps, long tokensPerStep, ulong seed)
    {
        _config = MethodDefaults.Resolve(config, finalModel.Layers);
        _sampler = new DepthSampler(_config);
        _finalLayers = finalModel.Layers;
        _seed = seed;
        _rewarmSteps = _config.Rewarm.ToSteps(totalSteps, tokensPerStep);
        InitialModel = finalModel with { Layers = _config.Stages[0] };
        Growth =
        [
            .. _config.Boundaries.Select((boundary, i) => new GrowthEvent(
                boundary.ToSteps(totalSteps, tokensPerStep),
                new DepthGrowth(_config.Stages[i + 1], _config.GrowthMap!.Value, _config.Moments!.Value))),
        ];
    }

    /// <summary>The model to begin with.</summary>
    public ModelConfig InitialModel { get; }

    /// <summary>The growth events, in the order of their steps.</summary>
    public IReadOnlyList<GrowthEvent> Growth { get; }

    /// <summary>What one micro-batch executes; the same on all ranks.</summary>
    /// <param name="model">The model as it is stored now.</param>
    /// <param name="step">The update, from 0.</param>
    /// <param name="microBatch">The micro-batch within it, from 0.</param>
    public ForwardPlan Plan(ModelConfig model, long step, int microBatch)
    {
        int draw = _config.Draw == DepthDraw.Update ? 0 : microBatch;
        double uniform = new CounterRandom(_seed, RandomPurpose.Depth, step, draw).NextDouble();
        return Share(model.Layers, _sampler.Draw(uniform, model.Layers, _finalLayers));
    }

    /// <summary>What evaluation executes: the final depth, through the map, in every stage.</summary>
    /// <param name="model">The model as it is stored now.</param>
    public ForwardPlan EvaluationPlan(ModelConfig model) => Share(model.Layers, _finalLayers);

    /// <summary>The factor on the learning rate of a step: below 1 only while it rises again after a growth.</summary>
    public double LearningRateFactor(long step)
    {
        long grownAt = Growth.LastOrDefault(growth => growth.Step <= step)?.Step ?? long.MinValue;
        return grownAt > long.MinValue && step - grownAt < _rewarmSteps
            ? (step - grownAt + 1) / (double)_rewarmSteps
            : 1;
    }

    private ForwardPlan Share(int stored, int executed)
    {
        if (stored == _finalLayers)
        {
            return ForwardPlan.Plain(stored);
        }

        LayerMapChoice choice = _config.SharingMap!;
        return new ForwardPlan(choice.Custom is { } custom
            // A list of one's own is for the full depth; a shallower draw takes evenly spaced entries of it.
            ? [.. Enumerable.Range(0, executed).Select(i => custom[i * _finalLayers / executed])]
            : LayerMap.Build(choice.Kind!.Value, stored, executed));
    }
}
