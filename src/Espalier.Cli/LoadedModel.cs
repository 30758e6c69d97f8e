using Espalier.Data;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Cli;

/// <summary>A model and its tokenizer, as a command line names them.</summary>
internal sealed class LoadedModel : IDisposable
{
    private LoadedModel(string folder, Device device)
    {
        Folder = folder;
        Model = ModelFolder.ReadConfig(folder);
        FullDepth = Checkpoint.FullDepthPlan(folder, Model);
        Tokenizer = Tokenizer.Load(folder);
        if (Tokenizer.VocabularySize > Model.Vocabulary)
        {
            throw new UserErrorException(
                $"{folder}: the tokenizer has {Tokenizer.VocabularySize} tokens, but the model only {Model.Vocabulary}.",
                "The folder's tokenizer.json belongs to another model.");
        }

        Parameters = ModelFolder.ReadParameters(folder, Model, device);
    }

    /// <summary>The folder that it was read from.</summary>
    public string Folder { get; }

    /// <summary>Its configuration.</summary>
    public ModelConfig Model { get; }

    /// <summary>Its parameters.</summary>
    public ParameterSet Parameters { get; }

    /// <summary>Its tokenizer.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>What runs at full depth: of a model that has not finished growing, its layers through the map.</summary>
    public ForwardPlan FullDepth { get; }

    /// <summary>Loads a model.</summary>
    /// <param name="path">A checkpoint, any folder of a model in Hugging Face's form, or a run: then its latest checkpoint.</param>
    /// <param name="device">Where to put the parameters.</param>
    /// <exception cref="UserErrorException">There is no model, or none that fits its tokenizer.</exception>
    public static LoadedModel Load(string path, Device device) =>
        new(RunDirectory.LatestCheckpointOf(path) ?? path, device);

    public void Dispose() => Parameters.Dispose();
}
