using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Models;

namespace Espalier.Training;

/// <summary>A recipe worked out: its durations in steps, its method for this run, and what it will cost.</summary>
public sealed class RunPlan
{
    private const int CostSamples = 2000;

    private readonly double[] _costUpTo;

    /// <summary>Works a recipe out.</summary>
    /// <param name="recipe">The recipe.</param>
    /// <param name="model">Its final model, the vocabulary filled in.</param>
    /// <param name="predictedShare">The share of positions that go through the vocabulary head.</param>
    public RunPlan(Recipe recipe, ModelConfig model, double predictedShare = 1)
    {
        TrainingConfig training = recipe.Training;
        FinalModel = model;
        TokensPerStep = (long)training.MicroBatch * training.GradientAccumulation * model.ContextLength;
        TotalSteps = Math.Max(1, training.Length.ToSteps(0, TokensPerStep));
        EvaluateEvery = AtLeastOne(recipe.Evaluation.Every);
        CheckpointEvery = AtLeastOne(recipe.Checkpoint.Every);
        LogEvery = AtLeastOne(recipe.Logging.Every);
        Method = new ProgressiveMethod(recipe.Method, model, TotalSteps, TokensPerStep, recipe.Seed);
        int sequences = training.MicroBatch * training.GradientAccumulation;
        _costUpTo = Costs(sequences, predictedShare * sequences * model.ContextLength);

        long AtLeastOne(Duration every) => Math.Max(1, every.ToSteps(TotalSteps, TokensPerStep));
    }

    /// <summary>The model that the run ends with.</summary>
    public ModelConfig FinalModel { get; }

    /// <summary>The tokens of one update.</summary>
    public long TokensPerStep { get; }

    /// <summary>The updates of the whole run.</summary>
    public long TotalSteps { get; }

    /// <summary>Updates between two evaluations.</summary>
    public long EvaluateEvery { get; }

    /// <summary>Updates between two checkpoints.</summary>
    public long CheckpointEvery { get; }

    /// <summary>Updates in a row of metrics.</summary>
    public long LogEvery { get; }

    /// <summary>The progressive method.</summary>
    public ProgressiveMethod Method { get; }

    /// <summary>The growth events that lie before the update that ends at a step.</summary>
    public int GrowthsBefore(long step) => Method.Growth.Count(growth => growth.Step < step);

    /// <summary>The model as it is stored after that many growth events.</summary>
    public ModelConfig ModelAfter(int growths) =>
        Method.Growth.Take(growths).Aggregate(Method.InitialModel, (model, growth) => growth.Operator.Grow(model));

    /// <summary>The share of the whole run's floating-point operations that lies before a step.</summary>
    public double CostShare(long step)
    {
        double position = (double)step / TotalSteps * (_costUpTo.Length - 1);
        int below = Math.Min((int)position, _costUpTo.Length - 2);
        double cost = _costUpTo[below] + ((position - below) * (_costUpTo[below + 1] - _costUpTo[below]));
        return cost / _costUpTo[^1];
    }

    /// <summary>Depth draws depend on nothing but the step, so the future can be read: here at up to 2000 steps.</summary>
    private double[] Costs(int sequences, double predictions)
    {
        IArchitecture architecture = Architectures.Of(FinalModel.ModelType);
        int samples = (int)Math.Min(CostSamples, TotalSteps);
        var costUpTo = new double[samples + 1];
        ModelConfig model = Method.InitialModel;
        var growths = new Queue<GrowthEvent>(Method.Growth);
        for (int i = 0; i < samples; i++)
        {
            long step = i * TotalSteps / samples;
            while (growths.TryPeek(out GrowthEvent? growth) && growth.Step <= step)
            {
                model = growths.Dequeue().Operator.Grow(model);
            }

            ForwardPlan plan = Method.Plan(model, step, 0);
            costUpTo[i + 1] =
                costUpTo[i] + architecture.ForwardFlops(model, plan, sequences, model.ContextLength, predictions).Total;
        }

        return costUpTo;
    }
}
