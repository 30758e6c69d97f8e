using Espalier.Data;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Cli;

/// <summary>A model and its tokenizer, as a command line names them.</summary>
internal sealed class LoadedModel : IDisposable
{
    private readonly Tokenizer? _tokenizer;

    private LoadedModel(
        string path, Device device, Func<string, Tokenizer>? tokenizerOf,
        Func<string, ModelConfig, Device, ParameterSet> parametersOf)
    {
        Path = RunDirectory.LatestCheckpointOf(path) ?? path;
        Model = ModelFolder.ReadConfig(Path);
        string folder = ModelFolder.FolderOf(Path);
        FullDepth = Checkpoint.FullDepthPlan(folder, Model);
        _tokenizer = tokenizerOf?.Invoke(folder);
        if (_tokenizer?.VocabularySize > Model.Vocabulary)
        {
            throw new UserErrorException(
                $"{path}: the tokenizer has {_tokenizer.VocabularySize} tokens, but the model only {Model.Vocabulary}.",
                $"The tokenizer belongs to another model. {OtherTokenizer(folder)}");
        }

        Parameters = parametersOf(Path, Model, device);
    }

    /// <summary>The folder, or the file in it, that the weights were read from.</summary>
    public string Path { get; }

    /// <summary>Its configuration.</summary>
    public ModelConfig Model { get; }

    /// <summary>Its parameters.</summary>
    public ParameterSet Parameters { get; }

    /// <summary>Its tokenizer.</summary>
    public Tokenizer Tokenizer => _tokenizer ?? throw new InvalidOperationException("The model was loaded without its tokenizer.");

    /// <summary>What runs at full depth: of a model that has not finished growing, its layers through the map.</summary>
    public ForwardPlan FullDepth { get; }

    /// <summary>Loads a model.</summary>
    /// <param name="path">A checkpoint, any folder of a model in Hugging Face's form, or a run: then its latest checkpoint.</param>
    /// <param name="device">Where to put the parameters.</param>
    /// <param name="tokenizer">The tokenizer where it is not the folder's own.</param>
    /// <exception cref="UserErrorException">There is no model, or none that fits its tokenizer.</exception>
    public static LoadedModel Load(string path, Device device, string? tokenizer = null) =>
        new(
            path, device, folder => tokenizer is null ? TokenizerIn(folder) : Tokenizer.Load(tokenizer),
            ModelFolder.ReadParameters);

    /// <summary>Loads what lies below a model's head, whatever head that is.</summary>
    /// <inheritdoc cref="Load"/>
    public static LoadedModel Backbone(string path, Device device) =>
        new(path, device, TokenizerIn, ModelFolder.ReadBackbone);

    /// <summary>Loads a model for token ids; its folder need not hold a tokenizer.</summary>
    /// <inheritdoc cref="Load"/>
    public static LoadedModel WithoutTokenizer(string path, Device device) =>
        new(path, device, null, ModelFolder.ReadParameters);

    /// <summary>What runs at a depth that the command line asks for.</summary>
    public ForwardPlan Plan(Depth depth) => depth == Depth.Full ? FullDepth : ForwardPlan.Plain(Model.Layers);

    public void Dispose() => Parameters.Dispose();

    private static Tokenizer TokenizerIn(string folder)
    {
        try
        {
            return Tokenizer.Load(folder);
        }
        catch (UserErrorException exception)
        {
            throw new UserErrorException(
                exception.Message,
                exception.Hint is null ? OtherTokenizer(folder) : $"{exception.Hint} {OtherTokenizer(folder)}",
                exception);
        }
    }

    private static string OtherTokenizer(string folder) =>
        $"To give the model another one: espalier import {folder} --tokenizer PATH --out DIR";
}
