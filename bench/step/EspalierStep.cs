using System.Diagnostics;
using Espalier.Distributed;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Bench.Step;

/// <summary>Training steps of Espalier on random tokens, by the very code that a training run uses.</summary>
public sealed class EspalierStep : IDisposable
{
    private const ulong Seed = 42;

    private readonly StepSetting _setting;
    private readonly Device _device;
    private readonly TrainingStep _step;
    private readonly TrainingState _state;

    public EspalierStep(StepSetting setting, Device device, bool mixedPrecision, int? storedLayers = null, Ranks? ranks = null, bool shardsOptimizer = false)
    {
        (_setting, _device) = (setting, device);
        var config = new AdamWConfig();
        var optimizer = new AdamW(config);
        _step = new TrainingStep(optimizer, config.ClipNorm, new Compute(device, mixedPrecision), ranks: ranks);
        var state = TrainingState.Begin(
            setting.Model with { Layers = storedLayers ?? setting.Layers }, setting.Layers, optimizer, Seed, device);
        _state = shardsOptimizer ? ShardedOptimizer.Deal(state, ranks!) : state;
    }

    /// <summary>Runs steps of all stored layers, or of a plan, and gives their wall seconds and the loss of the last.</summary>
    public StepTime Run(int steps, ForwardPlan? plan = null, int microBatches = 1)
    {
        plan ??= ForwardPlan.Plain(_state.Model.Config.Layers);
        double loss = 0;
        CommunicationTime communication = default;
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < steps; i++)
        {
            StepResult result = _step.Run(_state, microBatches, _ => plan, (_, _) => RandomBatch(), _ => Seed, 1e-4);
            loss = result.Loss;
            communication += result.Communication;
        }

        return new StepTime(Stopwatch.GetElapsedTime(start).TotalSeconds / steps, loss)
        {
            Communication = new CommunicationTime(communication.Seconds / steps, communication.WaitedSeconds / steps),
        };
    }

    public void Dispose() => _state.Dispose();

    private ModelBatch RandomBatch()
    {
        long[] shape = [_setting.Batch, _setting.ContextLength];
        var random = new CounterRandom(Seed, RandomPurpose.BatchOrder, _state.Position.Step);
        var ids = new long[shape[0] * (shape[1] + 1)];
        for (int i = 0; i < ids.Length; i++)
        {
            ids[i] = (long)random.NextBelow((ulong)_setting.Vocabulary, (uint)i);
        }

        int count = (int)(shape[0] * shape[1]);
        return new ModelBatch(
            Tensor.From<long>(ids.AsSpan(0, count), shape, _device),
            Tensor.From<long>(ids.AsSpan(ids.Length - count), shape, _device));
    }
}

/// <summary>What a turn came to.</summary>
/// <param name="Seconds">Wall seconds a step.</param>
/// <param name="Loss">Of the last step.</param>
public readonly record struct StepTime(double Seconds, double Loss)
{
    /// <summary>How long ranks spoke with each other, a step.</summary>
    public CommunicationTime Communication { get; init; }
}
