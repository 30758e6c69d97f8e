using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;

namespace Espalier.Training;

/// <summary>What a recipe has a run do, update by update, with nothing computed: plans, growths and rates follow from the position.</summary>
/// <param name="plan">The recipe, worked out.</param>
/// <param name="losses">The loss that the run has had, which growth may wait for.</param>
internal sealed class Course(RunPlan plan, LossCurve losses)
{
    private int _pointsSeen;

    /// <summary>The model as it is stored before the next update.</summary>
    public ModelConfig Model { get; private set; } = plan.Method.InitialModel;

    /// <summary>Where the run stands before the next update, the growths that are due done; losses and costs are as far as they are known.</summary>
    public TrainingPosition Position { get; private set; } = new() { Losses = new LossCurve(losses.Interval) };

    /// <summary>The rates of the next update.</summary>
    public LearningRates Rates => Position.Rates(plan.LearningRate);

    /// <summary>Lets the growths happen that are due before the next update.</summary>
    public void Grow() => (Model, Position, _) = plan.Grown(Model, Position);

    /// <summary>What a micro-batch of the next update executes.</summary>
    public ForwardPlan Plan(int microBatch) => plan.Method.Plan(Model, Position, microBatch);

    /// <summary>Takes the next update for done.</summary>
    public void Update()
    {
        long step = Position.Step + 1;
        bool isPoint = _pointsSeen < losses.Points.Length && losses.Points[_pointsSeen].Step <= step;
        Position = Position with
        {
            Step = step,
            Tokens = step * plan.TokensPerStep,
            ScheduleStep = plan.LearningRate.Next(Position.ScheduleStep, Position.Step),
            Losses = isPoint
                ? Position.Losses with { Points = Position.Losses.Points.Add(losses.Points[_pointsSeen++]), PendingSteps = 0 }
                : Position.Losses with { PendingSteps = Position.Losses.PendingSteps + 1 },
        };
    }
}
