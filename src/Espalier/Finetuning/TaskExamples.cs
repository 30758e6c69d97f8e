using System.Globalization;

namespace Espalier.Finetuning;

/// <summary>A text, or two, and what it is to be given.</summary>
/// <param name="Text">The text.</param>
/// <param name="Pair">The second text, or null.</param>
/// <param name="Label">The id of its class or its score; 0 where the file gives none.</param>
internal sealed record TaskExample(string Text, string? Pair, double Label);

/// <summary>Reads the examples of a task.</summary>
/// <param name="task">The task.</param>
/// <param name="folder">Where its files lie.</param>
internal sealed class TaskExamples(TaskConfig task, string folder)
{
    private readonly Dictionary<string, int> _labels = task.Labels.Select((label, id) => (label, id)).ToDictionary();

    /// <summary>The file of the training examples.</summary>
    public string TrainFile => Path.Combine(folder, task.Data.Train);

    /// <summary>The file of the validation examples.</summary>
    public string ValidationFile => Path.Combine(folder, task.Data.Validation);

    /// <summary>The file of the texts to predict, or null.</summary>
    public string? TestFile => task.Data.Test is string test ? Path.Combine(folder, test) : null;

    /// <summary>Reads labelled examples.</summary>
    /// <param name="path">One of the files above.</param>
    /// <exception cref="UserErrorException">
    /// The file is missing or damaged, a text is empty or none, or a label is not one of the task's.
    /// </exception>
    public IReadOnlyList<TaskExample> Labelled(string path) => Read(
        path, task.Data.Header, task.Data.Text, task.Data.TextPair, task.Data.Label);

    /// <summary>Reads the texts to predict, whose labels are 0.</summary>
    /// <exception cref="UserErrorException">The file is missing or damaged, or a text is empty or none.</exception>
    public IReadOnlyList<TaskExample> Unlabelled(string path) => Read(
        path, task.Data.TestHeader ?? task.Data.Header, task.Data.TestText ?? task.Data.Text,
        task.Data.TestTextPair ?? task.Data.TextPair, null);

    private List<TaskExample> Read(string path, bool header, string text, string? pair, string? label)
    {
        if (!File.Exists(path))
        {
            throw new UserErrorException(
                $"{path} does not exist.",
                (task.Source is string source ? $"{task.Name} is got from: {source}. " : "") +
                "Name the folder of the task's files with --data.");
        }

        string[] texts = pair is null ? [text] : [text, pair];
        var examples = new List<TaskExample>();
        foreach (TableRow row in new TaskTable(path, task.Data.Format, header, task.Data.ExtraColumns).Read(texts, label))
        {
            examples.Add(new TaskExample(
                row.Fields[0],
                pair is null ? null : row.Fields[1],
                label is null ? 0 : LabelOf(row.Fields[^1].Trim(), $"{path}:{row.Line}")));
        }

        return examples.Count > 0 ? examples : throw new UserErrorException($"{path} holds no examples.");
    }

    private double LabelOf(string label, string place)
    {
        if (!task.IsRegression)
        {
            return _labels.TryGetValue(label, out int id)
                ? id
                : throw new UserErrorException(
                    $"{place}: the label `{label}` is none of the task's: {string.Join(", ", task.Labels)}.",
                    "Mend the row, add the label to the task's `labels`, or name another column as data.label.");
        }

        bool isNumber = double.TryParse(label, NumberStyles.Float, CultureInfo.InvariantCulture, out double score);
        return isNumber && score >= task.Range[0] && score <= task.Range[1]
            ? score
            : throw new UserErrorException(string.Create(
                CultureInfo.InvariantCulture,
                $"{place}: `{label}` is {(isNumber ? "outside" : "no number in")} the task's range of {task.Range[0]} to {task.Range[1]}."),
                "Mend the row, change the task's `range`, or name another column as data.label.");
    }
}
