using System.Globalization;
using Espalier.Data;
using Espalier.Evaluation;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Training;

namespace Espalier.Finetuning;

/// <summary>What a fine-tuned model gives a text.</summary>
/// <param name="Label">The name of the likeliest class; null of a model that gives scores.</param>
/// <param name="Score">The score; null of a model that tells classes apart.</param>
/// <param name="Probabilities">Of each class, in the order of <see cref="SequencePredictor.Labels"/>; none of a model that gives scores.</param>
public sealed record Prediction(string? Label, double? Score, IReadOnlyList<double> Probabilities);

/// <summary>A fine-tuned model that gives new texts classes or scores, or is measured on labelled ones.</summary>
public sealed class SequencePredictor : IDisposable
{
    private readonly SequenceModel _model;
    private readonly Tokenizer _tokenizer;
    private readonly Compute _compute;
    private readonly string _path;

    private SequencePredictor(string path, SequenceModel model, Tokenizer tokenizer, StoredSequenceHead head, Compute compute)
    {
        (_path, _model, _tokenizer, _compute) = (path, model, tokenizer, compute);
        IsRegression = head.IsRegression;
        Labels = head.IsRegression ? [] : head.Labels;
    }

    /// <summary>The classes, in the order of their ids; none of a model that gives scores.</summary>
    public IReadOnlyList<string> Labels { get; }

    /// <summary>Whether it gives a text a score rather than a class.</summary>
    public bool IsRegression { get; }

    /// <summary>Loads a fine-tuned model.</summary>
    /// <param name="path">A folder that `finetune --out` wrote, or any other in Hugging Face's form of a model with a classifier of sequences.</param>
    /// <param name="compute">Where to compute, and in which number format.</param>
    /// <exception cref="UserErrorException">There is no model, or it has no such classifier, or not all of it.</exception>
    public static SequencePredictor Open(string path, Compute compute)
    {
        using LoadedModel loaded = LoadedModel.Backbone(path, compute.Device);
        StoredSequenceHead head = SequenceModelFolder.ReadHead(loaded.Path, loaded.Config, compute.Device);
        try
        {
            string[] missing =
            [
                .. loaded.Config.SequenceHead.Parameters(loaded.Config, Math.Max(1, head.Labels.Count))
                    .Select(spec => spec.Name).Where(name => !head.Parameters.ContainsKey(name)),
            ];
            if (head.Labels.Count == 0 || missing.Length > 0)
            {
                throw new UserErrorException(
                    $"{path} has no classifier of texts{(missing.Length > 0 ? $": {string.Join(", ", missing)} is not there" : "")}.",
                    "Fine-tune it first: espalier finetune " + path + " --task TASK.yaml --out DIR; then predict with DIR/seed-1.");
            }

            var model = SequenceModel.On(
                loaded.Config, loaded.Model.Parameters, head.Parameters, loaded.FullDepth, head.Labels.Count, seed: 0, compute);
            return new SequencePredictor(path, model, loaded.Tokenizer, head, compute);
        }
        finally
        {
            foreach (Torch.Tensor tensor in head.Parameters.Values)
            {
                tensor.Dispose();
            }
        }
    }

    /// <summary>The task that a file of texts is: where text and label stand in it, and how long a text may be.</summary>
    /// <param name="keys">`data.text=sentence` and the like, of a task's `data`, `training` and `metrics`.</param>
    /// <exception cref="UserErrorException">A key or its value is not right.</exception>
    public TaskConfig TaskOf(IEnumerable<string>? keys)
    {
        string metrics = IsRegression ? "pearson, spearman" : Labels.Count == 2 ? "accuracy, f1, matthews" : "accuracy, matthews";
        string outputs = IsRegression ? "range: [-1e300, 1e300]"
            : $"labels: [{string.Join(", ", Labels.Select((_, id) => id.ToString(CultureInfo.InvariantCulture)))}]";
        string most = _model.Config.ContextLength.ToString(CultureInfo.InvariantCulture);
        TaskConfig task = TaskFile.Parse(
            $"data: {{train: none, validation: none, text: text, label: label}}\n{outputs}\nmetrics: [{metrics}]\ntraining: {{max_length: {most}}}\n",
            "predict", keys);
        return task with { Labels = [.. Labels] };
    }

    /// <summary>Predicts for the texts of a file, in its order.</summary>
    /// <param name="file">A tsv, csv or jsonl, or one of these with .gz.</param>
    /// <param name="task">Where in it the texts stand: <see cref="TaskOf"/>.</param>
    /// <param name="warn">Hears how many texts were cut.</param>
    /// <param name="stop">Ends the work.</param>
    /// <exception cref="UserErrorException">The file is missing or damaged, or a text is too long and must not be cut.</exception>
    public IReadOnlyList<Prediction> Predict(string file, TaskConfig task, Action<string>? warn = null, CancellationToken stop = default) =>
        Predict(new TaskExamples(task, "").Unlabelled(RequireThere(file)), file, task, warn, stop);

    /// <summary>Predicts for texts, or pairs of them.</summary>
    /// <inheritdoc cref="Predict(string, TaskConfig, Action{string}?, CancellationToken)"/>
    public IReadOnlyList<Prediction> Predict(
        IEnumerable<(string Text, string? Pair)> texts, TaskConfig task, Action<string>? warn = null, CancellationToken stop = default) =>
        Predict([.. texts.Select(text => new TaskExample(text.Text, text.Pair, 0))], "the texts", task, warn, stop);

    /// <summary>Measures the model on the labelled texts of a file.</summary>
    /// <returns>The task's metrics, and of how many texts.</returns>
    /// <exception cref="UserErrorException">As <see cref="Predict(string, TaskConfig, Action{string}?, CancellationToken)"/>; or a label is none of the model's.</exception>
    /// <inheritdoc cref="Predict(string, TaskConfig, Action{string}?, CancellationToken)"/>
    public (IReadOnlyList<(MetricKind Metric, double Value)> Metrics, int Count) Measure(
        string file, TaskConfig task, Action<string>? warn = null, CancellationToken stop = default)
    {
        IReadOnlyList<TaskExample> examples = new TaskExamples(task, "").Labelled(RequireThere(file));
        double[] expected = [.. examples.Select(example => example.Label)];
        double[] predicted = [.. Scores(examples, file, task, warn, stop).Select(scores => SequenceScores.Label(scores, IsRegression))];
        return ([.. task.Metrics.Select(metric => (metric, TaskMetrics.Of(metric, expected, predicted)))], examples.Count);
    }

    /// <inheritdoc/>
    public void Dispose() => _model.Dispose();

    private static string RequireThere(string file) => File.Exists(file)
        ? file
        : throw new UserErrorException($"{file} does not exist.", "Name a .tsv, .csv or .jsonl, or - to read texts from stdin.");

    private Prediction[] Predict(
        IReadOnlyList<TaskExample> examples, string what, TaskConfig task, Action<string>? warn, CancellationToken stop) =>
        [.. Scores(examples, what, task, warn, stop).Select(PredictionOf)];

    private Prediction PredictionOf(float[] scores)
    {
        if (IsRegression)
        {
            return new Prediction(null, scores[0], []);
        }

        double highest = scores.Max();
        double[] weights = Array.ConvertAll(scores, score => Math.Exp(score - highest));
        double sum = weights.Sum();
        return new Prediction(
            Labels[(int)SequenceScores.Label(scores, isRegression: false)], null, Array.ConvertAll(weights, weight => weight / sum));
    }

    private float[][] Scores(
        IReadOnlyList<TaskExample> examples, string what, TaskConfig task, Action<string>? warn, CancellationToken stop)
    {
        Tokenizer tokenizer = examples.Any(example => example.Pair is not null) ? _tokenizer.ForPairs() : _tokenizer;
        int most = Math.Min(task.Training.MaxLength, _model.Config.ContextLength);
        (EncodedExample[] encoded, int cut) = new ExampleEncoder(tokenizer, most).Encode(examples);
        if (cut > 0)
        {
            string said = $"{what}: {cut} of {examples.Count} are longer than {most} tokens";
            if (!task.Training.Truncate)
            {
                throw new UserErrorException($"{said}.", "Leave training.truncate=false out to cut them.");
            }

            warn?.Invoke($"{said}, and are cut");
        }

        float[][] scores = SequenceScores.Of(_model, encoded, tokenizer.Pad ?? 0, _compute.Device, stop);
        return Array.TrueForAll(scores, of => Array.TrueForAll(of, float.IsFinite))
            ? scores
            : throw new UserErrorException($"{_path} gives scores that are no numbers.", "Its weights are damaged, or its fine-tuning diverged.");
    }
}
