using System.ComponentModel.DataAnnotations;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Progressive layer dropping (PLD, Zhang and He 2020, arXiv 2010.13369): the whole model from the first step, of which each
/// micro-batch leaves layers out at random, more of them as training goes on, and upper ones more often than lower ones. What
/// a layer adds is scaled by one over the probability that it is kept, so that it adds on average what it adds when measured.
/// </summary>
public sealed record PldConfig : MethodConfig
{
    /// <inheritdoc/>
    public override string Name => "pld";

    /// <summary>`theta`: the share of layers that the schedule ends with keeping, of the last layer. Default 0.5.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true)]
    public double Theta { get; init; } = 0.5;

    /// <summary>`gamma`: how fast the schedule gets there, a step. Default 0.001.</summary>
    [Range(0.0, 1.0)]
    public double Gamma { get; init; } = 0.001;

    /// <inheritdoc/>
    public override IProgressiveMethod Create(RunShape run) => new Method(this, run);

    /// <summary>The probability that a layer is kept.</summary>
    /// <param name="step">The update, from 0.</param>
    /// <param name="layer">The layer, from 0.</param>
    /// <param name="layers">L.</param>
    internal double KeepProbability(long step, int layer, int layers)
    {
        double theta = ((1 - Theta) * Math.Exp(-Gamma * step)) + Theta;
        return 1 - ((1 - theta) * (layer + 1) / layers);
    }

    private sealed class Method(PldConfig config, RunShape run) : IProgressiveMethod
    {
        public ModelConfig InitialModel => run.FinalModel;

        public ForwardPlan Plan(ModelConfig model, TrainingPosition position, int microBatch)
        {
            var random = new CounterRandom(run.Seed, RandomPurpose.Depth, position.Step, microBatch);
            List<LayerRun> kept = [];
            for (int layer = 0; layer < model.Layers; layer++)
            {
                double keep = config.KeepProbability(position.Step, layer, model.Layers);
                if (random.NextDouble((uint)layer) < keep)
                {
                    kept.Add(new LayerRun(layer, Scale: 1 / keep));
                }
            }

            return new ForwardPlan(kept);
        }

        public ForwardPlan EvaluationPlan(ModelConfig model, TrainingPosition position) => ForwardPlan.Plain(model.Layers);

        public GrowthStep? Next(ModelConfig model, TrainingPosition position) => null;
    }
}
