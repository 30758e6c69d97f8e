namespace Espalier.Models;

/// <summary>
/// What a plan costs, beside <see cref="ForwardPass"/> and by the same plan. Every executed layer costs one forward pass;
/// going backward, once more where its output's gradient is carried on through it, and once more for the gradient of its own
/// weights if they train. Attention has no weights: its two products cost two more each, wherever a gradient passes.
/// </summary>
public static class Ledger
{
    /// <summary>The cost of a forward pass.</summary>
    /// <param name="config">The model.</param>
    /// <param name="plan">What runs.</param>
    /// <param name="sequences">B.</param>
    /// <param name="length">T.</param>
    /// <param name="predictions">N: the positions that go through the vocabulary head.</param>
    public static FlopsCount Forward(ModelConfig config, ForwardPlan plan, int sequences, int length, double predictions)
    {
        IArchitecture architecture = config.Architecture;
        return plan.Layers.Aggregate(
            architecture.HeadCost(config, predictions),
            (sum, run) => sum + architecture.LayerCost(config, sequences, Seen(run, length)));
    }

    /// <summary>The cost of a forward and a backward pass.</summary>
    /// <param name="config">The model.</param>
    /// <param name="plan">What runs.</param>
    /// <param name="sequences">B.</param>
    /// <param name="length">T.</param>
    /// <param name="predictions">N: the positions that go through the vocabulary head.</param>
    /// <param name="recompute">Whether each layer that a gradient comes into runs forward once more for it.</param>
    public static FlopsCount ForwardAndBackward(
        ModelConfig config, ForwardPlan plan, int sequences, int length, double predictions, bool recompute = false)
    {
        IArchitecture architecture = config.Architecture;
        FlopsCount sum = default;
        bool reachesDown = plan.TrainsRest;
        foreach (LayerRun run in plan.Layers)
        {
            // A layer's own weights lie above its input: where they train, the gradient comes into the layer too.
            reachesDown |= run.Trains;
            FlopsCount forward = architecture.LayerCost(config, sequences, Seen(run, length));
            int runs = recompute && reachesDown ? 2 : 1;
            sum += new FlopsCount(
                forward.Layers * (runs + (reachesDown ? 1 : 0) + (run.Trains ? 1 : 0)),
                forward.Attention * (runs + (reachesDown ? 2 : 0)),
                0);
        }

        return sum + (architecture.HeadCost(config, predictions) * (1 + (reachesDown ? 1 : 0) + (plan.TrainsRest ? 1 : 0)));
    }

    private static int Seen(LayerRun run, int length) => Math.Min(run.Tokens?.Count ?? length, length);
}
