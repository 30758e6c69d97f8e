using System.Globalization;
using Espalier.Data;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Training;

namespace Espalier.Finetuning;

/// <summary>How far the fine-tunings of a job are.</summary>
/// <param name="Seed">The seed under way.</param>
/// <param name="Share">What is done of the whole job.</param>
/// <param name="Remaining">The time left at the speed so far.</param>
/// <param name="Update">How far the seed under way is.</param>
public sealed record FinetuneJobProgress(ulong Seed, double Share, TimeSpan Remaining, FinetuneProgress Update);

/// <summary>Fine-tunes a model for a task, once for each of the task's seeds.</summary>
public sealed class FinetuneJob : IDisposable
{
    private readonly LoadedModel _loaded;
    private readonly Tokenizer _tokenizer;
    private readonly PretrainedHead? _head;
    private readonly TaskConfig _task;
    private readonly ModelConfig _model;
    private readonly Compute _compute;
    private readonly string? _output;

    private FinetuneJob(
        LoadedModel loaded, TaskConfig task, string folder, Compute compute, string? output, bool fromRandom)
    {
        (_loaded, _task, _compute, _output) = (loaded, task, compute, output);
        _model = task.Training.Dropout is double dropout ? loaded.Config.WithDropout(dropout) : loaded.Config;
        _tokenizer = task.Data.TextPair is null ? loaded.Tokenizer : loaded.Tokenizer.ForPairs();
        Data = TaskData.Read(task, folder, _tokenizer, loaded.Config.ContextLength, withTest: output is not null);
        _head = fromRandom ? null : PretrainedHead.Read(loaded.Path, loaded.Config, task, compute.Device);
    }

    /// <summary>The task's examples as the model reads them.</summary>
    public TaskData Data { get; }

    /// <summary>What is taken over of the model and what is new, in one line; null where all weights are random.</summary>
    public string? Origin => _head?.Origin;

    /// <summary>Reads the model and the task's examples.</summary>
    /// <param name="checkpoint">A checkpoint, any folder of a model in Hugging Face's form, or a run: then its latest checkpoint.</param>
    /// <param name="task">The task.</param>
    /// <param name="folder">Where the task's files lie.</param>
    /// <param name="compute">Where to compute, and in which number format.</param>
    /// <param name="output">
    /// The folder to write, a new one or an empty one: for each seed, as it is done, <c>seed-N</c>, the fine-tuned model with
    /// what it predicts for the task's test file; and <c>results.json</c>. Null: nothing is written.
    /// </param>
    /// <param name="fromRandom">Whether to begin with random weights in place of the model's, for comparison.</param>
    /// <exception cref="UserErrorException">A file is missing or damaged, they do not fit, or the folder cannot be written.</exception>
    public static FinetuneJob Open(
        string checkpoint, TaskConfig task, string folder, Compute compute, string? output = null, bool fromRandom = false)
    {
        if (output is not null)
        {
            ModelExport.RequireNew(output);
        }

        LoadedModel loaded = LoadedModel.Backbone(checkpoint, compute.Device);
        try
        {
            return new FinetuneJob(loaded, task, folder, compute, output, fromRandom);
        }
        catch
        {
            loaded.Dispose();
            throw;
        }
    }

    /// <summary>Fine-tunes for one seed after the other.</summary>
    /// <param name="progress">Hears of every update.</param>
    /// <param name="stop">Ends the work; the seeds that are done stay written.</param>
    /// <exception cref="UserErrorException">The loss is no longer finite, or a file cannot be written.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public FinetuneSummary Run(Action<FinetuneJobProgress>? progress = null, CancellationToken stop = default)
    {
        long started = TimeProvider.System.GetTimestamp();
        var finetuner = new Finetuner(_task, Data, _compute.Device);
        var results = new List<(ulong, IReadOnlyList<EpochResult>)>();
        foreach (ulong seed in _task.Training.Seeds)
        {
            using SequenceModel model = Begin(seed);
            int seedsDone = results.Count;
            results.Add((seed, finetuner.Run(
                model, seed, update => progress?.Invoke(Progress(seed, seedsDone, update, started)), stop)));
            if (_output is not null)
            {
                // As each seed is done: whatever stops a later one leaves the earlier ones whole.
                Save(finetuner, model, Path.Combine(_output, string.Create(CultureInfo.InvariantCulture, $"seed-{seed}")));
                AtomicFile.Write(
                    Path.Combine(_output, "results.json"), new FinetuneSummary(_task, Data, results).ToJson() + "\n");
            }
        }

        return new FinetuneSummary(_task, Data, results);
    }

    /// <summary>Frees the model that the fine-tunings began with.</summary>
    public void Dispose()
    {
        _head?.Dispose();
        _loaded.Dispose();
    }

    private SequenceModel Begin(ulong seed) => _head is null
        ? SequenceModel.Random(_model, _loaded.FullDepth, _task.Outputs, seed, _compute)
        : SequenceModel.On(
            _model, _loaded.Model.Parameters, _head.Parameters, _loaded.FullDepth, _task.Outputs, seed, _compute);

    private FinetuneJobProgress Progress(ulong seed, int seedsDone, FinetuneProgress update, long started)
    {
        double share = (seedsDone + ((double)update.Step / update.TotalSteps)) / _task.Training.Seeds.Length;
        return new FinetuneJobProgress(
            seed, share, TimeProvider.System.GetElapsedTime(started) * ((1 - share) / share), update);
    }

    private void Save(Finetuner finetuner, SequenceModel model, string folder)
    {
        // The form in which GLUE takes them.
        string? predictions = Data.HasTest
            ? "index\tprediction\n" + string.Concat(finetuner.PredictTest(model).Select(
                (label, i) => string.Create(CultureInfo.InvariantCulture, $"{i}\t{label}\n")))
            : null;
        (ModelConfig config, ParameterSet parameters) = model.AtFullDepth();
        AtomicFolder.Write(
            folder,
            partial =>
            {
                SequenceModelFolder.Write(partial, config, parameters, _tokenizer, _task.Labels);
                if (predictions is not null)
                {
                    AtomicFile.Write(Path.Combine(partial, "predictions.tsv"), predictions);
                }
            },
            replace: false, ModelExport.What);
    }
}
