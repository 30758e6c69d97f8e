using Espalier.Data;

namespace Espalier.Finetuning;

/// <summary>A task's examples as a model reads them.</summary>
public sealed class TaskData
{
    private readonly List<string> _warnings = [];

    private TaskData(TaskConfig task, TaskExamples files, Tokenizer tokenizer, int contextLength, bool withTest)
    {
        Padding = tokenizer.Pad ?? 0;
        int most = Math.Min(task.Training.MaxLength, contextLength);
        string limit = most < task.Training.MaxLength ? $"the model's context of {most} tokens" : $"max_length {most}";
        var encoder = new ExampleEncoder(tokenizer, most);
        Train = Encode(files.TrainFile, files.Labelled(files.TrainFile));
        Validation = Encode(files.ValidationFile, files.Labelled(files.ValidationFile));
        Test = withTest && files.TestFile is string test ? Encode(test, files.Unlabelled(test)) : null;

        EncodedExample[] Encode(string file, IReadOnlyList<TaskExample> examples)
        {
            (EncodedExample[] encoded, int cut) = encoder.Encode(examples);
            if (cut > 0 && !task.Training.Truncate)
            {
                throw new UserErrorException(
                    $"{file}: {cut} of {examples.Count} examples are longer than {limit}.",
                    "Raise training.max_length as far as the model's context, or set training.truncate=true to cut them.");
            }

            if (cut > 0)
            {
                Truncated += cut;
                string warning = $"{file}: {cut} of {examples.Count} examples are cut to {limit}";
                if (!_warnings.Contains(warning))
                {
                    _warnings.Add(warning);
                }
            }

            return encoded;
        }
    }

    /// <summary>What a person should know of the data: one line for each file of which examples were cut.</summary>
    public IReadOnlyList<string> Warnings => _warnings;

    /// <summary>How many examples were cut, of all files together.</summary>
    public int Truncated { get; private set; }

    /// <summary>The number of training examples.</summary>
    public int TrainCount => Train.Length;

    /// <summary>The number of validation examples.</summary>
    public int ValidationCount => Validation.Length;

    /// <summary>Whether there are texts to predict.</summary>
    public bool HasTest => Test is not null;

    internal EncodedExample[] Train { get; }

    internal EncodedExample[] Validation { get; }

    internal EncodedExample[]? Test { get; }

    /// <summary>The token that fills short sequences up.</summary>
    internal int Padding { get; }

    /// <summary>Reads and encodes a task's files.</summary>
    /// <param name="task">The task.</param>
    /// <param name="folder">Where its files lie.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="contextLength">The most tokens that the model reads.</param>
    /// <param name="withTest">Whether the texts to predict are wanted too.</param>
    /// <exception cref="UserErrorException">
    /// A file is missing or damaged, a label is not one of the task's, or an example is too long and must not be cut.
    /// </exception>
    public static TaskData Read(TaskConfig task, string folder, Tokenizer tokenizer, int contextLength, bool withTest) =>
        new(task, new TaskExamples(task, folder), tokenizer, contextLength, withTest);
}
