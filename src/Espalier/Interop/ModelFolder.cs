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
    public const string WeightsFile = "model.safetensors";

    /// <summary>The tokenizer's file.</summary>
    public const string TokenizerFile = "tokenizer.json";

    /// <summary>Writes a model into an existing folder.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="model">The model as it is stored.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <exception cref="UserErrorException">A file cannot be written.</exception>
    public static void Write(string folder, ModelConfig model, ParameterSet parameters, Tokenizer tokenizer)
    {
        AtomicFile.Write(Path.Combine(folder, HuggingFaceConfig.FileName), HuggingFaceConfig.Write(model, tokenizer));
        tokenizer.Save(Path.Combine(folder, TokenizerFile));
        SafetensorsWriter.Write(
            Path.Combine(folder, WeightsFile),
            parameters.Select(parameter => TensorFile.Entry(parameter.Name, parameter.Value)));
    }

    /// <summary>Reads a model's configuration.</summary>
    /// <exception cref="UserErrorException">The folder holds no model that Espalier knows.</exception>
    public static ModelConfig ReadConfig(string folder)
    {
        string config = Path.Combine(folder, HuggingFaceConfig.FileName);
        if (!File.Exists(config))
        {
            throw new UserErrorException(
                $"{folder} is no model: it holds no {HuggingFaceConfig.FileName}.",
                "Name a run, a checkpoint of one, or a folder with config.json and model.safetensors.");
        }

        return HuggingFaceConfig.Read(config);
    }

    /// <summary>Reads a model's parameters.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="model">Its configuration.</param>
    /// <param name="device">Where to put them.</param>
    /// <exception cref="UserErrorException">A tensor is missing, superfluous or of another shape.</exception>
    public static ParameterSet ReadParameters(string folder, ModelConfig model, Device device)
    {
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(folder, WeightsFile));
        IReadOnlyList<ParameterSpec> specs = Architectures.Of(model.ModelType).Parameters(model);
        var expected = specs.Select(spec => spec.Name).ToHashSet();
        if (file.Names.FirstOrDefault(name => !expected.Contains(name)) is string superfluous)
        {
            throw new UserErrorException(
                $"{file.Path}: the tensor '{superfluous}' has no place in the model that config.json describes.");
        }

        return new ParameterSet(specs.Select(spec => new Parameter(
            spec, ParameterSet.Trainable(TensorFile.Read(file, spec.Name, spec.Shape, device)))));
    }
}
