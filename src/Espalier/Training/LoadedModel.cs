using Espalier.Data;
using Espalier.Growth;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Training;

/// <summary>A model and its tokenizer, opened from whatever holds one: a run, a checkpoint, a Hugging Face folder.</summary>
public sealed class LoadedModel : IDisposable
{
    private readonly Tokenizer? _tokenizer;

    private LoadedModel(
        string path, Device device, Func<string, Tokenizer>? tokenizerOf,
        Func<string, ModelConfig, Device, ParameterSet> parametersOf)
    {
        Path = RunDirectory.LatestCheckpointOf(path) ?? path;
        ModelConfig config = ModelFolder.ReadConfig(Path);
        string folder = ModelFolder.FolderOf(Path);
        FullDepth = Checkpoint.FullDepthPlan(folder, config);
        _tokenizer = tokenizerOf?.Invoke(folder);
        if (_tokenizer?.VocabularySize > config.Vocabulary)
        {
            throw new UserErrorException(
                $"{path}: the tokenizer has {_tokenizer.VocabularySize} tokens, but the model only {config.Vocabulary}.",
                $"The tokenizer belongs to another model. {OtherTokenizer(folder)}");
        }

        Model = Model.Of(config, parametersOf(Path, config, device));
    }

    /// <summary>The folder, or the file in it, that the weights were read from.</summary>
    public string Path { get; }

    /// <summary>The model.</summary>
    public Model Model { get; }

    /// <summary>Its sizes.</summary>
    public ModelConfig Config => Model.Config;

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

    /// <summary>The model that stores as many layers as are asked for, each the one that training executes there.</summary>
    /// <param name="depth">
    /// From the layers that are stored to those of the finished model; at the latter each is the one that training executes
    /// there, between, neighbours repeat.
    /// </param>
    /// <returns>The model; its tensors are this one's, not copies: do not dispose of it.</returns>
    /// <exception cref="UserErrorException">There are not so many, or more are stored.</exception>
    public Model AtDepth(int depth)
    {
        int stored = Config.Layers, full = FullDepth.Depth;
        string range = stored < full ? $"Ask for {stored} to {full} layers." : "Leave --depth out.";
        ForwardPlan plan = depth == full ? FullDepth
            : depth < stored ? throw new UserErrorException(
                $"--depth {depth} is less than the {stored} layers that the checkpoint stores.", range)
            : depth > full ? throw new UserErrorException(
                $"--depth {depth} is more than the {full} layers that the finished model has.", range)
            : ForwardPlan.Of(LayerMap.Interpolate(stored, depth));
        ModelConfig config = Config with { Layers = depth };
        return Model with { Config = config, Parameters = Model.Parameters.Unroll(Model.Architecture.Parameters(config), plan) };
    }

    /// <summary>Makes sure that the model predicts what comes next.</summary>
    /// <param name="hint">What to do with one that does not.</param>
    /// <exception cref="UserErrorException">It is a masked language model.</exception>
    public void RequireNextToken(string hint)
    {
        if (Model.Architecture.Objective(Tokenizer) is not NextToken)
        {
            throw new UserErrorException(
                $"{Path} is a masked language model, which does not guess what comes next.", hint);
        }
    }

    /// <summary>Makes sure that all weights are numbers: what a model with others computes looks like a result, and is none.</summary>
    /// <exception cref="UserErrorException">A tensor, which is named, holds NaN or infinities.</exception>
    public void RequireFinite()
    {
        foreach (Parameter parameter in Model.Parameters)
        {
            ModelExport.RequireFinite(Path, parameter.Name, parameter.Value);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Model.Dispose();

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
