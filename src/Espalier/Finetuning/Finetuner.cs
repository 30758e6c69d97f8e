using Espalier.Optimization;
using Espalier.Torch;

using static Espalier.Torch.Functional;

namespace Espalier.Finetuning;

/// <summary>What a pass over the training examples came to.</summary>
/// <param name="Epoch">From 1.</param>
/// <param name="TrainLoss">The mean loss of its updates: nats, or squared score.</param>
/// <param name="Metrics">On the validation set, after it, in the order of the task's metrics.</param>
public sealed record EpochResult(int Epoch, double TrainLoss, IReadOnlyList<double> Metrics);

/// <summary>How far a fine-tuning is.</summary>
/// <param name="Epoch">From 1.</param>
/// <param name="Step">Updates done.</param>
/// <param name="TotalSteps">Updates of all epochs.</param>
/// <param name="Loss">Of the epoch's updates so far, on average.</param>
/// <param name="ExamplesPerSecond">Trained on, measuring left aside.</param>
/// <param name="Finished">The epoch that this step ended, or null.</param>
public sealed record FinetuneProgress(
    int Epoch, long Step, long TotalSteps, double Loss, double ExamplesPerSecond, EpochResult? Finished);

/// <summary>Fine-tunes a model for a task: every parameter is trained, by AdamW, and measured after every epoch.</summary>
/// <param name="task">The task.</param>
/// <param name="data">Its examples.</param>
/// <param name="device">Where the model lies.</param>
public sealed class Finetuner(TaskConfig task, TaskData data, Device device)
{
    /// <summary>Fine-tunes a model in place.</summary>
    /// <param name="model">The model.</param>
    /// <param name="seed">Of the order of examples and of dropout.</param>
    /// <param name="progress">Hears of every update.</param>
    /// <param name="stop">Ends the work.</param>
    /// <returns>What each epoch came to.</returns>
    /// <exception cref="UserErrorException">The loss is no longer finite.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public IReadOnlyList<EpochResult> Run(
        SequenceModel model, ulong seed, Action<FinetuneProgress>? progress = null, CancellationToken stop = default)
    {
        TaskTrainingConfig training = task.Training;
        var batches = new ExampleBatches(data.Train, training.Batch, data.Padding);
        long total = (long)batches.Count * training.Epochs, step = 0;
        var rate = new LearningRate(
            new LearningRateConfig
            {
                Peak = training.LearningRate,
                Schedule = LearningRateSchedule.Linear,
                Warmup = training.Warmup,
            },
            total,
            tokensPerStep: 1);
        var optimizer = new AdamW(new AdamWConfig { WeightDecay = training.WeightDecay });
        using var state = OptimizerState.Begin(optimizer, model.Parameters);
        var epochs = new List<EpochResult>();
        double seconds = 0;
        long examples = 0;
        for (int epoch = 0; epoch < training.Epochs; epoch++)
        {
            double lossSum = 0;
            int[][] order = batches.Epoch(seed, epoch);
            for (int i = 0; i < order.Length; i++)
            {
                stop.ThrowIfCancellationRequested();
                long started = TimeProvider.System.GetTimestamp();
                ulong dropoutSeed = new CounterRandom(seed, RandomPurpose.Dropout, step).NextUInt64();
                lossSum += Update(model, optimizer, state, step, batches, order[i], dropoutSeed, rate.At(step));
                seconds += TimeProvider.System.GetElapsedTime(started).TotalSeconds;
                step++;
                examples += order[i].Length;
                EpochResult? finished = null;
                if (i == order.Length - 1)
                {
                    finished = new EpochResult(epoch + 1, lossSum / order.Length, Measure(model, stop));
                    epochs.Add(finished);
                }

                progress?.Invoke(new FinetuneProgress(epoch + 1, step, total, lossSum / (i + 1), examples / seconds, finished));
            }
        }

        return epochs;
    }

    /// <summary>Predicts the labels of the test texts, in the order of their file.</summary>
    /// <exception cref="InvalidOperationException">There are none.</exception>
    public IReadOnlyList<string> PredictTest(SequenceModel model)
    {
        double[] predicted = Predict(model, data.Test ?? throw new InvalidOperationException("the task has no test file"), default);
        return [.. predicted.Select(label => task.IsRegression
            ? label.ToString("R", System.Globalization.CultureInfo.InvariantCulture)
            : task.Labels[(int)label])];
    }

    private double Update(
        SequenceModel model, AdamW optimizer, OptimizerState state, long step, ExampleBatches batches, int[] batch,
        ulong dropoutSeed, double learningRate)
    {
        using var scope = new TensorScope();
        Engine.ManualSeed(dropoutSeed);
        Tensor scores = model.Scores(batches.Input(batch, device), training: true);
        Tensor loss = Loss(scores, [.. batch.Select(i => data.Train[i].Label)], task.IsRegression);
        loss.Backward();
        double value = loss.Item(), norm = GradientNorm.Of(model.Parameters);
        if (!double.IsFinite(value) || !double.IsFinite(norm))
        {
            throw new UserErrorException(
                $"The fine-tuning has diverged: in update {step + 1} the loss is {value}, the gradient norm {norm}.",
                "Lower training.learning_rate.");
        }

        optimizer.Step(model.Parameters, state, GradientNorm.ClipFactor(norm, task.Training.ClipNorm), learningRate);
        model.Parameters.ClearGradients();

        return value;
    }

    /// <summary>Cross-entropy of classes, mean squared error of scores.</summary>
    internal static Tensor Loss(Tensor scores, double[] labels, bool isRegression)
    {
        if (!isRegression)
        {
            long[] classes = Array.ConvertAll(labels, label => (long)label);
            return CrossEntropy(scores, Tensor.From<long>(classes, [labels.Length], scores.Device));
        }

        float[] wanted = Array.ConvertAll(labels, label => (float)label);
        Tensor error = scores.Reshape(-1) - Tensor.From<float>(wanted, [labels.Length], scores.Device);
        return (error * error).Mean();
    }

    private double[] Measure(SequenceModel model, CancellationToken stop)
    {
        double[] predicted = Predict(model, data.Validation, stop);
        double[] expected = [.. data.Validation.Select(example => example.Label)];
        return [.. task.Metrics.Select(metric => TaskMetrics.Of(metric, expected, predicted))];
    }

    private double[] Predict(SequenceModel model, EncodedExample[] examples, CancellationToken stop) => Array.ConvertAll(
        SequenceScores.Of(model, examples, data.Padding, device, stop), scores => SequenceScores.Label(scores, task.IsRegression));
}
