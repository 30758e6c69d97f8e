using System.Globalization;
using System.Text.Json.Nodes;
using Espalier.Configuration;
using Espalier.Data;
using Espalier.Models;

namespace Espalier.Interop;

/// <summary>A model's <c>config.json</c>, as Hugging Face's <c>transformers</c> writes and reads it.</summary>
internal static class HuggingFaceConfig
{
    public const string FileName = "config.json";

    private static readonly Dictionary<SafetensorsDType, string> TorchNames = new()
    {
        [SafetensorsDType.F32] = "float32",
        [SafetensorsDType.BF16] = "bfloat16",
        [SafetensorsDType.F16] = "float16",
    };

    /// <summary>The text of the file.</summary>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">Gives the ids of special tokens.</param>
    /// <param name="type">What the weights are rounded to.</param>
    public static string Write(ModelConfig model, Tokenizer tokenizer, SafetensorsDType type = SafetensorsDType.F32)
    {
        JsonObject json = HuggingFaceFormat.Of(model).Write(model, tokenizer);
        json["model_type"] = model.ModelType;
        json["torch_dtype"] = TorchNames[type];
        WriteFloatsAsSuch(json);
        return json.Indented() + "\n";
    }

    /// <summary>Python tells 0 from 0.0, and newer versions of transformers refuse a whole number where they want a float.</summary>
    private static void WriteFloatsAsSuch(JsonObject json)
    {
        foreach ((string key, JsonNode? node) in json.ToArray())
        {
            if (node is JsonObject section)
            {
                WriteFloatsAsSuch(section);
            }
            else if (node is JsonValue value && value.TryGetValue(out double number))
            {
                string text = number.ToString("R", CultureInfo.InvariantCulture).ToLowerInvariant();
                json[key] = JsonNode.Parse(text.AsSpan().IndexOfAny(".e") < 0 ? text + ".0" : text);
            }
        }
    }

    /// <summary>Reads a file.</summary>
    /// <exception cref="UserErrorException">A key is missing, impossible, or asks for what Espalier does not compute.</exception>
    public static ModelConfig Read(string path) => Read(path, JsonFile.ReadObject(path));

    /// <summary>Reads what a file would hold.</summary>
    /// <inheritdoc cref="Read(string)"/>
    public static ModelConfig Read(string path, JsonObject content)
    {
        var json = new ConfigReader(path, content);
        string type = json.Required<string>("model_type");
        json.Demand("add_cross_attention", false);
        json.Demand("is_encoder_decoder", false);
        json.DemandNone("pruned_heads");
        json.DemandNone("quantization_config");
        HuggingFaceFormat format = HuggingFaceFormat.Of(type) ?? throw new UserErrorException(
            $"{path}: model_type is '{type}'.", $"Espalier reads {string.Join(", ", ConfigVariants.Of(typeof(ModelConfig))!.Names)}.");
        return json.Checked(format.Read(json));
    }
}
