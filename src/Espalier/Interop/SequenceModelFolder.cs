using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Data;
using Espalier.Models;

namespace Espalier.Interop;

/// <summary>A fine-tuned model as a Hugging Face folder, which its classes for sequence classification load as it is.</summary>
public static class SequenceModelFolder
{
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
        json["architectures"] = new JsonArray(Architectures.SequenceHeadOf(model.ModelType).ClassName);
        json["problem_type"] = labels.Count == 0 ? "regression" : "single_label_classification";
        IReadOnlyList<string> names = labels.Count == 0 ? ["score"] : labels;
        json["id2label"] = new JsonObject(names.Select((name, id) =>
            KeyValuePair.Create(id.ToString(System.Globalization.CultureInfo.InvariantCulture), (JsonNode?)name)));
        json["label2id"] = new JsonObject(names.Select((name, id) => KeyValuePair.Create(name, (JsonNode?)id)));
        // GPT-2's class looks for the last token before the padding.
        json["pad_token_id"] ??= tokenizer.Pad ?? tokenizer.EndOfText;
        AtomicFile.Write(config, json.ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n");
        TokenizerFiles.Write(folder, model, tokenizer);
        SafetensorsWriter.Write(
            Path.Combine(folder, ModelFolder.WeightsFile),
            parameters.Select(parameter => TensorFile.Entry(parameter.Name, parameter.Value)));
    }
}
