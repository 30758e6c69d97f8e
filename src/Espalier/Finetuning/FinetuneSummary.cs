using System.Text.Json.Nodes;

namespace Espalier.Finetuning;

/// <summary>A mean over several fine-tunings.</summary>
/// <param name="Values">Of each seed.</param>
public sealed record SeedStatistics(IReadOnlyList<double> Values)
{
    /// <summary>The mean.</summary>
    public double Mean => Values.Average();

    /// <summary>The sample standard deviation (n - 1); NaN of a single seed.</summary>
    public double Deviation => Values.Count < 2
        ? double.NaN
        : Math.Sqrt(Values.Sum(value => (value - Mean) * (value - Mean)) / (Values.Count - 1));
}

/// <summary>What the fine-tunings of a model for a task came to, one for each seed.</summary>
/// <param name="Task">The task.</param>
/// <param name="Data">Its examples.</param>
/// <param name="Seeds">The seeds, and what each epoch came to.</param>
public sealed record FinetuneSummary(
    TaskConfig Task, TaskData Data, IReadOnlyList<(ulong Seed, IReadOnlyList<EpochResult> Epochs)> Seeds)
{
    /// <summary>A metric after the last epoch: what GLUE's results are.</summary>
    /// <param name="metric">Its place among the task's metrics.</param>
    public SeedStatistics Last(int metric) => new([.. Seeds.Select(seed => seed.Epochs[^1].Metrics[metric])]);

    /// <summary>
    /// A metric after each seed's best epoch by the task's first metric: flattering, since the epoch is chosen on the very
    /// examples that it is measured on.
    /// </summary>
    /// <param name="metric">Its place among the task's metrics.</param>
    public SeedStatistics Best(int metric) => new([.. Seeds.Select(seed => BestEpoch(seed.Epochs).Metrics[metric])]);

    /// <summary>The whole as JSON. What is no number is null.</summary>
    public string ToJson() => new JsonObject
    {
        ["task"] = Task.Name,
        ["train_examples"] = Data.TrainCount,
        ["validation_examples"] = Data.ValidationCount,
        ["truncated_examples"] = Data.Truncated,
        ["epochs"] = Task.Training.Epochs,
        ["batch"] = Task.Training.Batch,
        ["learning_rate"] = Task.Training.LearningRate,
        ["metrics"] = PerMetric(Last),
        ["best_epoch_metrics"] = PerMetric(Best),
        ["constant_metrics"] = new JsonObject(Task.Metrics.Select(metric =>
            KeyValuePair.Create(TaskMetrics.NameOf(metric), Number(TaskMetrics.OfConstant(metric, Data))))),
        ["seeds"] = new JsonArray([.. Seeds.Select(seed => (JsonNode)new JsonObject
        {
            ["seed"] = seed.Seed,
            ["epochs"] = new JsonArray([.. seed.Epochs.Select(EpochJson)]),
        })]),
    }.Indented();

    private JsonObject PerMetric(Func<int, SeedStatistics> statistics) => new(Task.Metrics.Select((metric, i) =>
    {
        SeedStatistics of = statistics(i);
        return KeyValuePair.Create(TaskMetrics.NameOf(metric), (JsonNode?)new JsonObject
        {
            ["mean"] = Number(of.Mean),
            ["std"] = Number(of.Deviation),
            ["values"] = new JsonArray([.. of.Values.Select(Number)]),
        });
    }));

    private JsonNode EpochJson(EpochResult epoch)
    {
        var json = new JsonObject { ["epoch"] = epoch.Epoch, ["train_loss"] = Number(epoch.TrainLoss) };
        for (int i = 0; i < Task.Metrics.Length; i++)
        {
            json[TaskMetrics.NameOf(Task.Metrics[i])] = Number(epoch.Metrics[i]);
        }

        return json;
    }

    private static EpochResult BestEpoch(IReadOnlyList<EpochResult> epochs) =>
        epochs.MaxBy(epoch => double.IsNaN(epoch.Metrics[0]) ? double.NegativeInfinity : epoch.Metrics[0])!;

    private static JsonNode? Number(double value) => double.IsFinite(value) ? JsonValue.Create(value) : null;
}
