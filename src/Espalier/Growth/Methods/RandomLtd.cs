using System.ComponentModel.DataAnnotations;
using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// The whole model from the first step, but between the first and the last layer each sees only some tokens of every sequence, drawn
/// anew for each layer and micro-batch; the others pass it by. There are more of them from time to time, until all are seen
/// (Random-LTD, arXiv 2211.11586). Measured, every layer sees all.
/// </summary>
public sealed record RandomLtdConfig : MethodConfig
{
    /// <inheritdoc/>
    public override string Name => "random-ltd";

    /// <summary>`begin`: the share of the context that is seen at first. Default 0.25.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true)]
    public double Begin { get; init; } = 0.25;

    /// <summary>`until`: when all tokens are seen. Default 70 %.</summary>
    public Duration Until { get; init; } = Duration.Percent(70);

    /// <summary>`quantum`: by how many tokens at once there are more. Default 16.</summary>
    [Range(1, 1 << 24)]
    public int Quantum { get; init; } = 16;

    /// <summary>How many tokens of a sequence are seen: on a straight line from the first number to all, in whole quanta more.</summary>
    /// <param name="step">The update, from 0.</param>
    /// <param name="until">The update from which on all are seen.</param>
    /// <param name="length">T.</param>
    internal int Seen(long step, long until, int length)
    {
        if (step >= until)
        {
            return length;
        }

        int begin = Math.Max(1, (int)(Begin * length));
        double more = (length - begin) * (double)step / until;
        return begin + ((int)(more / Quantum) * Quantum);
    }

    /// <inheritdoc/>
    public override IProgressiveMethod Create(RunShape run) => new Method(this, run);

    private sealed class Method(RandomLtdConfig config, RunShape run) : IProgressiveMethod, IKnownPlans
    {
        private readonly long _until = run.Steps(config.Until);

        public ModelConfig InitialModel => run.FinalModel;

        public ForwardPlan Plan(ModelConfig model, TrainingPosition position, int microBatch)
        {
            int seen = config.Seen(position.Step, _until, model.ContextLength);
            if (seen == model.ContextLength)
            {
                return EvaluationPlan(model, position);
            }

            var seeds = new CounterRandom(run.Seed, RandomPurpose.Tokens, position.Step, microBatch);
            return new ForwardPlan(
            [
                .. Enumerable.Range(0, model.Layers).Select(layer => new LayerRun(
                    layer,
                    Tokens: layer > 0 && layer < model.Layers - 1
                        ? new TokenSubset(seen, seeds.NextUInt64((uint)layer)) : null)),
            ]);
        }

        /// <summary>Whichever tokens are seen, they are as many.</summary>
        public IReadOnlyList<(double Probability, ForwardPlan Plan)> Plans(ModelConfig model, TrainingPosition position) =>
            [(1, Plan(model, position, 0))];

        public ForwardPlan EvaluationPlan(ModelConfig model, TrainingPosition position) => ForwardPlan.Plain(model.Layers);

        public GrowthStep? Next(ModelConfig model, TrainingPosition position) => null;
    }
}
