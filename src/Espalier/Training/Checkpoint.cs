using System.Text.Json.Nodes;
using Espalier.Data;
using Espalier.Growth;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Training;

/// <summary>
/// A training state on disk: a Hugging Face folder with the optimizer's moments and the run's position beside the
/// model. It appears under its name only when it is complete.
/// </summary>
public static class Checkpoint
{
    private const string OptimizerFile = "optimizer.safetensors";
    private const string StateFile = "training_state.json";
    private const int FormatVersion = 1;

    /// <summary>Writes a checkpoint; either all of it appears, or nothing.</summary>
    /// <param name="folder">Its name; must not exist yet, or holds an older checkpoint, which it replaces.</param>
    /// <param name="state">The state.</param>
    /// <param name="fullDepth">What evaluation at full depth executes, so that the folder can be evaluated by itself.</param>
    /// <param name="tokenizer">The tokenizer of the text that the model was trained on.</param>
    /// <exception cref="UserErrorException">There is no space or no permission; what was there before is untouched.</exception>
    public static void Write(
        string folder, TrainingState state, ForwardPlan fullDepth, Tokenizer tokenizer)
    {
        AtomicFolder.Write(
            folder,
            partial =>
            {
                ModelFolder.Write(partial, state.Model, state.Parameters, tokenizer);
                SafetensorsWriter.Write(Path.Combine(partial, OptimizerFile), state.Optimizer.Moments.SelectMany(pair =>
                    new[]
                    {
                        TensorFile.Entry(ExpAvg(pair.Key), pair.Value.ExpAvg),
                        TensorFile.Entry(ExpAvgSq(pair.Key), pair.Value.ExpAvgSq),
                    }));
                AtomicFile.Write(Path.Combine(partial, StateFile), StateJson(state, fullDepth));
            },
            replace: true,
            "The checkpoint",
            "Free some space, or choose a folder that you may write to; the same command then goes on from the last complete checkpoint.");
    }

    /// <summary>Reads a state back.</summary>
    /// <exception cref="UserErrorException">The folder is no complete checkpoint of Espalier.</exception>
    public static TrainingState Read(string folder, Device device)
    {
        ModelConfig model = ModelFolder.ReadConfig(folder);
        (TrainingPosition position, long optimizerSteps) = ReadPosition(folder);
        ParameterSet parameters = ModelFolder.ReadParameters(folder, model, device);
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(folder, OptimizerFile));
        var moments = parameters.ToDictionary(parameter => parameter.Name, parameter => new Moments(
            TensorFile.Read(file, ExpAvg(parameter.Name), parameter.Spec.Shape, device),
            TensorFile.Read(file, ExpAvgSq(parameter.Name), parameter.Spec.Shape, device)));
        return new TrainingState(model, parameters, new AdamWState(moments, optimizerSteps), position);
    }

    /// <summary>What evaluation of a folder's model executes: its full depth through the map, if the folder says so.</summary>
    /// <param name="folder">A checkpoint, or any folder of a model.</param>
    /// <param name="model">Its configuration.</param>
    public static ForwardPlan FullDepthPlan(string folder, ModelConfig model)
    {
        string path = Path.Combine(folder, StateFile);
        if (!File.Exists(path))
        {
            return ForwardPlan.Plain(model.Layers);
        }

        int[] layers = Read(path, json => json["full_depth_layers"]!.AsArray().Select(node => node!.GetValue<int>()).ToArray());
        return layers.Length > 0 && layers.All(layer => layer >= 0 && layer < model.Layers)
            ? new ForwardPlan(layers)
            : throw new UserErrorException($"{path}: full_depth_layers names a layer that the model has not.");
    }

    private static string StateJson(TrainingState state, ForwardPlan fullDepth) => new JsonObject
    {
        ["format"] = FormatVersion,
        ["step"] = state.Position.Step,
        ["tokens"] = state.Position.Tokens,
        ["growths_done"] = state.Position.GrowthsDone,
        ["optimizer_steps"] = state.Optimizer.StepCount,
        ["flops_layers"] = state.Position.Flops.Layers,
        ["flops_attention"] = state.Position.Flops.Attention,
        ["flops_head"] = state.Position.Flops.Head,
        ["seconds"] = state.Position.Seconds,
        ["full_depth_layers"] = new JsonArray([.. fullDepth.Layers.Select(layer => (JsonNode)layer)]),
    }.Indented() + "\n";

    private static (TrainingPosition Position, long OptimizerSteps) ReadPosition(string folder) =>
        Read(Path.Combine(folder, StateFile), json => (
            new TrainingPosition
            {
                Step = json["step"]!.GetValue<long>(),
                Tokens = json["tokens"]!.GetValue<long>(),
                GrowthsDone = json["growths_done"]!.GetValue<int>(),
                Flops = new FlopsCount(
                    json["flops_layers"]!.GetValue<double>(),
                    json["flops_attention"]!.GetValue<double>(),
                    json["flops_head"]!.GetValue<double>()),
                Seconds = json["seconds"]!.GetValue<double>(),
            },
            json["optimizer_steps"]!.GetValue<long>()));

    private static T Read<T>(string path, Func<JsonObject, T> read)
    {
        JsonObject json = JsonFile.ReadObject(path);
        try
        {
            int version = json["format"]!.GetValue<int>();
            return version == FormatVersion
                ? read(json)
                : throw new UserErrorException($"{path} has format {version}; this Espalier reads format {FormatVersion}.");
        }
        catch (Exception exception) when (exception is NullReferenceException or InvalidOperationException or FormatException)
        {
            throw new UserErrorException($"{path} is not a training state of Espalier.", inner: exception);
        }
    }

    private static string ExpAvg(string name) => name + ".exp_avg";

    private static string ExpAvgSq(string name) => name + ".exp_avg_sq";
}
