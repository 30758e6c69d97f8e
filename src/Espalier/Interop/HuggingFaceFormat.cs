using System.Text.Json.Nodes;
using Espalier.Configuration;
using Espalier.Data;
using Espalier.Models;

namespace Espalier.Interop;

/// <summary>
/// How the models of an architecture lie in Hugging Face's folders: what their <c>config.json</c> says, and under which names their
/// tensors are found. A new one is a file and a line here; an architecture without one has the keys of its own record, and the names
/// of its parameters.
/// </summary>
public abstract class HuggingFaceFormat
{
    private static readonly Lock Registering = new();

    private static Dictionary<string, HuggingFaceFormat> _all = new()
    {
        ["gpt2"] = new Gpt2Json(),
        ["bert"] = new BertJson(),
        ["llama"] = new LlamaJson(),
        ["qwen3"] = new Qwen3Json(),
    };

    /// <summary>Under which names tensors are found, where these differ from those of the parameters.</summary>
    public virtual TensorNames Names => TensorNames.AsTheyAre;

    /// <summary>Makes the format of an architecture of one's own known, for as long as the process runs.</summary>
    /// <param name="modelType">Its <see cref="ModelConfig.ModelType"/>.</param>
    /// <param name="format">The format.</param>
    /// <exception cref="ArgumentException">The architecture has a format already.</exception>
    public static void Register(string modelType, HuggingFaceFormat format)
    {
        ArgumentNullException.ThrowIfNull(format);
        lock (Registering)
        {
            // Another dictionary, so that whoever reads the old one goes on.
            _all = _all.ContainsKey(modelType)
                ? throw new ArgumentException($"'{modelType}' has a format already", nameof(modelType))
                : new Dictionary<string, HuggingFaceFormat>(_all) { [modelType] = format };
        }
    }

    /// <summary>The keys of <c>config.json</c>, but for <c>model_type</c> and <c>torch_dtype</c>.</summary>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">Gives the ids of special tokens.</param>
    public abstract JsonObject Write(ModelConfig model, Tokenizer tokenizer);

    /// <summary>The model that a <c>config.json</c> describes.</summary>
    /// <exception cref="UserErrorException">A key is missing, or asks for what is not computed.</exception>
    public abstract ModelConfig Read(ConfigReader json);

    /// <summary>The format of a model.</summary>
    internal static HuggingFaceFormat Of(ModelConfig model) => Of(model.ModelType) ?? new PlainJson(model.GetType());

    /// <summary>The format of an architecture.</summary>
    /// <param name="modelType">Its <see cref="ModelConfig.ModelType"/>.</param>
    /// <returns>Null where there is no such architecture.</returns>
    internal static HuggingFaceFormat? Of(string modelType) =>
        _all.TryGetValue(modelType, out HuggingFaceFormat? format) ? format
        : ConfigVariants.Of(typeof(ModelConfig))!.TypeOf(modelType) is Type config ? new PlainJson(config) : null;
}
