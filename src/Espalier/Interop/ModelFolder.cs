using Espalier.Data;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Interop;

/// <summary>
/// A model as a Hugging Face folder: <c>config.json</c>, <c>model.safetensors</c> under Hugging Face's names and
/// layouts, and <c>tokenizer.json</c>, so that <c>transformers</c> loads it as it is.
/// </summary>
public static class ModelFolder
{
    /// <summary>The weights' file.</summary>
    public const string WeightsFile = StoredTensors.SingleFile;

    /// <summary>The tokenizer's file.</summary>
    public const string TokenizerFile = "tokenizer.json";

    /// <summary>Writes a model into an existing folder.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="model">The model as it is stored.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="extras">What <see cref="ReadExtras"/> gave, if anything.</param>
    /// <param name="type">What weights are rounded to: F32, BF16 or F16.</param>
    /// <returns>The SHA-256 of the weights' file.</returns>
    /// <exception cref="UserErrorException">A file cannot be written, or a weight is too large for the type.</exception>
    public static string Write(
        string folder, ModelConfig model, ParameterSet parameters, Tokenizer tokenizer,
        IReadOnlyDictionary<string, Tensor>? extras = null, SafetensorsDType type = SafetensorsDType.F32)
    {
        AtomicFile.Write(
            Path.Combine(folder, HuggingFaceConfig.FileName), HuggingFaceConfig.Write(model, tokenizer, type));
        TokenizerFiles.Write(folder, model, tokenizer);
        return SafetensorsWriter.Write(
            Path.Combine(folder, WeightsFile),
            parameters.Select(parameter => TensorFile.Entry(parameter.Name, parameter.Value, type))
                .Concat(SecondNames(model, parameters).Select(second => TensorFile.Entry(second.Name, second.Value, type)))
                .Concat(extras?.Select(extra => TensorFile.Entry(extra.Key, extra.Value, type)) ?? []));
    }

    /// <summary>Reads a model's configuration.</summary>
    /// <param name="path">A folder, or a file of weights with <c>config.json</c> beside it.</param>
    /// <exception cref="UserErrorException">There is no model that Espalier knows.</exception>
    public static ModelConfig ReadConfig(string path)
    {
        string folder = FolderOf(path);
        string config = Path.Combine(folder, HuggingFaceConfig.FileName);
        if (!File.Exists(config))
        {
            throw new UserErrorException(
                $"{folder} is no model: it holds no {HuggingFaceConfig.FileName}.",
                $"Name a run, a checkpoint of one, or a folder with {HuggingFaceConfig.FileName} and {WeightsFile}.");
        }

        return HuggingFaceConfig.Read(config);
    }

    /// <summary>Reads a model's parameters, in single precision.</summary>
    /// <param name="path">A folder with <c>model.safetensors</c> or an index of shards, or one of these files.</param>
    /// <param name="model">Its configuration.</param>
    /// <param name="device">Where to put them.</param>
    /// <exception cref="UserErrorException">Tensors are missing, superfluous or of another shape, or a file is damaged.</exception>
    public static ParameterSet ReadParameters(string path, ModelConfig model, Device device)
    {
        using ModelWeights weights = ModelWeights.OpenLanguageModel(path, model);
        return weights.Read(device);
    }

    /// <summary>Reads what lies below a model's head, whatever head that is, in single precision.</summary>
    /// <inheritdoc cref="ReadParameters"/>
    public static ParameterSet ReadBackbone(string path, ModelConfig model, Device device)
    {
        using ModelWeights weights = ModelWeights.OpenBackbone(path, model, classifierOutputs: null);
        return weights.Read(device);
    }

    /// <summary>
    /// Reads tensors that only some tasks need and only some files have, in single precision: BERT's pooler.
    /// </summary>
    /// <inheritdoc cref="ReadParameters"/>
    /// <returns>The tensors that are there, by Hugging Face's names.</returns>
    public static IReadOnlyDictionary<string, Tensor> ReadExtras(string path, ModelConfig model, Device device)
    {
        using ModelWeights weights = ModelWeights.OpenLanguageModel(path, model);
        return weights.ReadSequenceHead(device);
    }

    /// <summary>The names of stored tensors that <see cref="ReadParameters"/> and <see cref="ReadExtras"/> leave aside.</summary>
    /// <inheritdoc cref="ReadParameters"/>
    public static IReadOnlyList<string> UnusedTensors(string path, ModelConfig model)
    {
        using ModelWeights weights = ModelWeights.OpenLanguageModel(path, model);
        return weights.Unused;
    }

    /// <summary>Tensors that some versions of transformers look for under another name.</summary>
    private static IEnumerable<(string Name, Tensor Value)> SecondNames(ModelConfig model, ParameterSet parameters)
    {
        TensorNames names = HuggingFaceFormat.Of(model).Names;
        return model.TiedHead ? [] : parameters.SelectMany(parameter => names.Copies
            .Where(copy => copy.Value == parameter.Name && names.InUseWhenUntied.Contains(copy.Key))
            .Select(copy => (copy.Key, parameter.Value)));
    }

    /// <summary>The folder of a model that is named by its folder, or by a file in it.</summary>
    internal static string FolderOf(string path) =>
        File.Exists(path) ? Path.GetDirectoryName(Path.GetFullPath(path))! : path;
}
