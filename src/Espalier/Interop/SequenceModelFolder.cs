using System.Globalization;
using System.Text.Json.Nodes;
using Espalier.Data;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Interop;

/// <summary>What a folder holds of a head for whole sequences.</summary>
/// <param name="Parameters">Those of its parameters that are there, by Hugging Face's names.</param>
/// <param name="IsRegression">Whether its classifier gives scores rather than classes.</param>
/// <param name="Labels">The names of its classifier's outputs; none without a classifier for whole sequences.</param>
public sealed record StoredSequenceHead(
    IReadOnlyDictionary<string, Tensor> Parameters, bool IsRegression, IReadOnlyList<string> Labels);

/// <summary>A fine-tuned model as a Hugging Face folder, which its classes for sequence classification load as it is.</summary>
public static class SequenceModelFolder
{
    private const string Regression = "regression", Classification = "single_label_classification";

    /// <summary>Writes a model into an existing folder.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="model">The model; its parameters store every layer that runs.</param>
    /// <param name="parameters">Those of the backbone and of the head.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="labels">The classes in the order of their ids; none of a model that gives a score.</param>
    /// <exception cref="UserErrorException">A file cannot be written.</exception>
    public static void Write(
        string folder, ModelConfig model, ParameterSet parameters, Tokenizer tokenizer, IReadOnlyList<string> labels)
    {
        string config = Path.Combine(folder, HuggingFaceConfig.FileName);
        var json = (JsonObject)JsonNode.Parse(HuggingFaceConfig.Write(model, tokenizer))!;
        json["architectures"] = new JsonArray(model.SequenceHead.ClassName);
        json["problem_type"] = labels.Count == 0 ? Regression : Classification;
        IReadOnlyList<string> names = labels.Count == 0 ? ["score"] : labels;
        json["id2label"] = new JsonObject(names.Select((name, id) =>
            KeyValuePair.Create(id.ToString(CultureInfo.InvariantCulture), (JsonNode?)name)));
        json["label2id"] = new JsonObject(names.Select((name, id) => KeyValuePair.Create(name, (JsonNode?)id)));
        // GPT-2's class looks for the last token before the padding.
        json["pad_token_id"] ??= tokenizer.Pad ?? tokenizer.EndOfSequence;
        AtomicFile.Write(config, json.Indented() + "\n");
        TokenizerFiles.Write(folder, model, tokenizer);
        SafetensorsWriter.Write(
            Path.Combine(folder, ModelFolder.WeightsFile),
            parameters.Select(parameter => TensorFile.Entry(parameter.Name, parameter.Value)));
    }

    /// <summary>Reads the head for whole sequences, as much as there is of it, in single precision.</summary>
    /// <param name="path">A folder of a model with any head or none, or its file of weights.</param>
    /// <param name="model">Its configuration.</param>
    /// <param name="device">Where to put the tensors.</param>
    /// <exception cref="UserErrorException">The tensors are not those of config.json's model and labels.</exception>
    public static StoredSequenceHead ReadHead(string path, ModelConfig model, Device device)
    {
        string config = Path.Combine(ModelFolder.FolderOf(path), HuggingFaceConfig.FileName);
        JsonObject json = JsonFile.ReadObject(config);

        // The classifiers of single tokens have the same names, and those of many labels at once another meaning.
        string className = model.SequenceHead.ClassName;
        bool isOfSequences =
            json["architectures"] is JsonArray classes && classes.Any(name => name?.ToString() == className);
        string[] labels = isOfSequences ? Labels(json, config) : [];
        string problem = new ConfigReader(config, json)
            .Optional("problem_type", labels.Length == 1 ? Regression : Classification);
        if (problem is not (Regression or Classification))
        {
            labels = [];
        }

        using ModelWeights weights = ModelWeights.OpenBackbone(path, model, labels.Length > 0 ? labels.Length : null);
        return new StoredSequenceHead(weights.ReadSequenceHead(device), problem == Regression, labels);
    }

    private static string[] Labels(JsonObject json, string path) => json["id2label"] is JsonObject labels
        ? [.. Enumerable.Range(0, labels.Count).Select(id =>
            labels[id.ToString(CultureInfo.InvariantCulture)] is JsonValue label
            ? label.ToString()
            : throw new UserErrorException($"{path}: id2label has {labels.Count} labels, but none for {id}."))]
        : ["LABEL_0", "LABEL_1"]; // what transformers leaves out
}
