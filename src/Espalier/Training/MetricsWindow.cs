using Espalier.Growth;
using Espalier.Models;

namespace Espalier.Training;

/// <summary>Sums up the steps of a logging interval.</summary>
internal sealed class MetricsWindow
{
    private long _steps;
    private long _microBatches;
    private long _targets;
    private double _lossSum, _normSum, _depthSum, _learningRate;
    private TrainingPosition _start;

    public MetricsWindow(TrainingPosition start) => _start = start;

    public bool IsEmpty => _steps == 0;

    public void Add(StepResult result)
    {
        _steps++;
        _normSum += result.GradientNorm;
        _learningRate = result.LearningRate;
        foreach ((double lossSum, long targets, ForwardPlan plan) in result.MicroBatches)
        {
            _microBatches++;
            _targets += targets;
            _lossSum += lossSum;
            _depthSum += plan.Depth;
        }
    }

    /// <summary>The interval as a row; the next one begins.</summary>
    public MetricsRow Close(TrainingState state, double? validLoss)
    {
        TrainingPosition end = state.Position;
        double seconds = end.Seconds - _start.Seconds;
        var row = new MetricsRow
        {
            Step = end.Step,
            Tokens = end.Tokens,
            TrainLoss = _lossSum / _targets,
            ValidLoss = validLoss,
            LearningRate = _learningRate,
            GradientNorm = _normSum / _steps,
            ExecutedDepth = _depthSum / _microBatches,
            StoredLayers = state.Model.Config.Layers,
            TokensPerSecond = (end.Tokens - _start.Tokens) / seconds,
            FlopsPerSecond = (end.Flops.Total - _start.Flops.Total) / seconds,
            Flops = end.Flops,
            Seconds = end.Seconds,
        };
        (_steps, _microBatches, _targets, _lossSum, _normSum, _depthSum, _start) = (0, 0, 0, 0, 0, 0, end);
        return row;
    }
}
