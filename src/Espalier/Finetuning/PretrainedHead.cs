using Espalier.Interop;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Finetuning;

/// <summary>What a task takes over of the head for whole sequences that a model came with.</summary>
public sealed class PretrainedHead : IDisposable
{
    private readonly IReadOnlyDictionary<string, Tensor> _stored;

    private PretrainedHead(string path, ModelConfig model, StoredSequenceHead stored, TaskConfig task)
    {
        _stored = stored.Parameters;
        ISequenceHead head = model.SequenceHead;
        bool fits = stored.IsRegression == task.IsRegression
            && (task.IsRegression ? stored.Labels.Count == 1 : stored.Labels.SequenceEqual(task.Labels));
        List<string> taken = ["the backbone"], fresh = [], names = [];
        foreach (IGrouping<bool, string> part in head.Parameters(model, task.Outputs)
            .Select(spec => spec.Name).GroupBy(head.IsBackbone))
        {
            bool isTaken = (part.Key || fits) && part.All(_stored.ContainsKey);
            (isTaken ? taken : fresh).Add(part.Key ? "the pooler" : "the classifier");
            if (isTaken)
            {
                names.AddRange(part);
            }
        }

        Parameters = names.ToDictionary(name => name, name => _stored[name]);
        Origin = $"taken over from {path}: {string.Join(", ", taken)}"
            + (fresh.Count > 0 ? $"; new: {string.Join(", ", fresh)}" : "")
            + (fits || stored.Labels.Count == 0 ? ""
                : stored.IsRegression ? " (the one there gives scores)"
                : $" (the one there tells apart {string.Join(", ", stored.Labels)})");
    }

    /// <summary>Parameters of the task's head, by name; the others begin afresh.</summary>
    public IReadOnlyDictionary<string, Tensor> Parameters { get; }

    /// <summary>What is taken over and what is new, in one line.</summary>
    public string Origin { get; }

    /// <summary>
    /// Reads what fits a task: the pooler always, the classifier if it has the very labels of the task in the same
    /// order, or gives scores as the task does.
    /// </summary>
    /// <param name="path">A folder of a model with any head or none, or its file of weights.</param>
    /// <param name="model">Its configuration.</param>
    /// <param name="task">The task.</param>
    /// <param name="device">Where to put the tensors.</param>
    /// <exception cref="UserErrorException">The tensors are not those of config.json's model and labels.</exception>
    public static PretrainedHead Read(string path, ModelConfig model, TaskConfig task, Device device) =>
        new(path, model, SequenceModelFolder.ReadHead(path, model, device), task);

    /// <summary>Frees the tensors.</summary>
    public void Dispose()
    {
        foreach (Tensor tensor in _stored.Values)
        {
            tensor.Dispose();
        }
    }
}
