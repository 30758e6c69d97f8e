using Espalier.Configuration;
using Espalier.Data;
using Espalier.Growth;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Training;

/// <summary>The weights that a run begins with in place of random ones: of a run, a checkpoint, or any folder of a model in Hugging Face's form.</summary>
internal sealed class InitialWeights
{
    // Of these a run has its own, whatever the model was trained with.
    private static readonly string[] Free = [nameof(ModelConfig.InitializerRange)];

    private readonly string _path;
    private readonly ModelConfig _model;
    private readonly FlopsCount _flops;
    private readonly double _seconds;

    private InitialWeights(string path, ModelConfig model, FlopsCount flops, double seconds, RunInitial record) =>
        (_path, _model, _flops, _seconds, Record) = (path, model, flops, seconds, record);

    /// <summary>What a run's log keeps of them.</summary>
    public RunInitial Record { get; }

    /// <summary>Finds weights, and makes sure that a run can begin with them; nothing is read but what is needed for that.</summary>
    /// <param name="name">The recipe's `from`: a run, <c>RUN@STEP</c>, a checkpoint, a folder of a model, or a file of weights in one.</param>
    /// <param name="begin">The model that the run's method begins with.</param>
    /// <param name="final">The model that it ends with.</param>
    /// <param name="tokenizer">The tokenizer of the run's data.</param>
    /// <exception cref="UserErrorException">There is no model there, it is of other sizes, or of another vocabulary.</exception>
    public static InitialWeights Find(string name, ModelConfig begin, ModelConfig final, Tokenizer tokenizer)
    {
        string path = NamedCheckpoint.HasStep(name) ? NamedCheckpoint.Find(name).Folder : RunDirectory.LatestCheckpointOf(name) ?? name;
        string folder = ModelFolder.FolderOf(path);
        ModelConfig model = ModelFolder.ReadConfig(path);
        RequireSameVocabulary(name, folder, model, tokenizer);
        RequireSameModel(name, model, begin, final);
        if (!Checkpoint.Is(folder))
        {
            return new InitialWeights(path, begin, default, 0, new RunInitial(Path.GetFullPath(path), Identity(path), 0, CostIsKnown: false));
        }

        Checkpoint.Verify(folder);
        var state = TrainingStateFile.Read(Path.Combine(folder, TrainingStateFile.Name));
        return new InitialWeights(
            path, begin, state.Flops, state.Seconds,
            new RunInitial(Path.GetFullPath(path), Identity(path), state.Flops.Total, RunLog.Of(folder)?.Initial?.CostIsKnown ?? true));
    }

    /// <summary>The state of a run that begins with the weights: its optimizer remembers nothing, its cost is theirs.</summary>
    /// <param name="optimizer">The update rule.</param>
    /// <param name="device">Where to put the tensors.</param>
    /// <param name="lossInterval">Updates in a point of the loss curve.</param>
    /// <exception cref="UserErrorException">Tensors are missing, superfluous or of another shape, or a file is damaged.</exception>
    public TrainingState Begin(IOptimizer optimizer, Device device, long lossInterval)
    {
        ParameterSet parameters = ModelFolder.ReadParameters(_path, _model, device);
        return new TrainingState(
            Model.Of(_model, parameters), OptimizerState.Begin(optimizer, parameters),
            new TrainingPosition { Losses = new LossCurve(lossInterval), Flops = _flops, Seconds = _seconds });
    }

    private static void RequireSameVocabulary(string name, string folder, ModelConfig model, Tokenizer tokenizer)
    {
        bool hasTokenizer = File.Exists(Path.Combine(folder, ModelFolder.TokenizerFile));
        if (hasTokenizer && Tokenizer.Load(folder).Fingerprint != tokenizer.Fingerprint)
        {
            throw new UserErrorException(
                $"from: the tokenizer of {name} is not that of the recipe's data: its weights stand for other tokens.",
                $"Prepare the data with it: espalier data prepare TEXT --tokenizer {Path.Combine(folder, ModelFolder.TokenizerFile)} --out DIR, and set data.path to DIR.");
        }

        if (model.Vocabulary < tokenizer.VocabularySize)
        {
            throw new UserErrorException(
                $"from: {name} has {model.Vocabulary} tokens (vocab_size), but the recipe's data uses {tokenizer.VocabularySize}.",
                "Prepare the data with the tokenizer that belongs to the weights: espalier data prepare TEXT --tokenizer FILE --out DIR.");
        }
    }

    private static void RequireSameModel(string name, ModelConfig model, ModelConfig begin, ModelConfig final)
    {
        if (model.ModelType != begin.ModelType)
        {
            throw new UserErrorException(
                $"from: {name} is a {model.ModelType}, and the recipe's model.model_type is {begin.ModelType}.",
                "Take weights of that architecture, or set model.model_type and the keys of its section.");
        }

        Dictionary<string, string> there = Values(model), here = Values(begin);
        string[] different = [.. here.Keys.Where(key => there.GetValueOrDefault(key) != here[key])];
        if (different.Length == 0)
        {
            return;
        }

        Dictionary<string, string> last = Values(final);
        string[] staged = [.. different.Where(key => here[key] != last[key])];
        string values = string.Join(' ', different.Except(staged).Select(key => $"model.{key}={there[key]}"));
        throw new UserErrorException(
            $"from: {name} is not the model that the run begins with:{string.Concat(different.Select(key => $"\n  model.{key}: {there[key]} in the weights, {here[key]} in the recipe{(staged.Contains(key) ? "'s first stage (method.stages)" : "")}"))}",
            string.Join(' ', new[]
            {
                values.Length > 0 ? $"Write {values} after the recipe." : "",
                staged.Length > 0 ? $"Let method.stages begin with {string.Join(", ", staged.Select(key => $"{key} {there[key]}"))}, or take method={{name: scratch}}." : "",
            }.Where(advice => advice.Length > 0)));

        Dictionary<string, string> Values(ModelConfig config) => ConfigKeys.Of(config.GetType())
            .Where(key => !key.IsDiscriminator && !IsFree(key.Property.Name))
            .ToDictionary(key => key.Name, key => ConfigValue.Format(key.Property.GetValue(config.Explicit())));

        // The length of the sequences is a size of the weights only where positions are learned.
        bool IsFree(string property) => Free.Contains(property) || property.EndsWith("Dropout", StringComparison.Ordinal)
            || (property == nameof(ModelConfig.ContextLength) && ShapesOf(begin with { ContextLength = 2 * begin.ContextLength }).SequenceEqual(ShapesOf(begin)));

        static IEnumerable<long> ShapesOf(ModelConfig config) =>
            config.Architecture.Parameters(config).SelectMany(parameter => parameter.Shape);
    }

    /// <summary>The SHA-256 of the weights: of one file as it is, of several that of the list of theirs.</summary>
    private static string Identity(string path)
    {
        string[] files = File.Exists(path) && path.EndsWith(".safetensors", StringComparison.Ordinal)
            ? [path]
            : [.. Directory.EnumerateFiles(ModelFolder.FolderOf(path), "model*.safetensors").Order(StringComparer.Ordinal)];
        return files.Length == 1 ? Sha256.OfFile(files[0]) : Sha256.Of(Sha256.List(files));
    }
}
