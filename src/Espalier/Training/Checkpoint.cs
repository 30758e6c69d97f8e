using Espalier.Data;
using Espalier.Distributed;
using Espalier.Growth;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Training;

/// <summary>
/// A training state on disk: a Hugging Face folder with what the optimizer remembers and the run's position beside the model.
/// It appears under its name only when it is complete.
/// </summary>
internal static class Checkpoint
{
    private const string What = "The checkpoint";
    private const string Hint = "Free some space, or choose a folder that you may write to; the same command then goes on from the last complete checkpoint.";

    /// <summary>Whether a folder of a model is a checkpoint.</summary>
    public static bool Is(string folder) => File.Exists(Path.Combine(folder, TrainingStateFile.Name));

    /// <summary>Writes a checkpoint; either all of it appears, or nothing.</summary>
    /// <param name="folder">Its name; must not exist yet, or holds an older checkpoint, which it replaces.</param>
    /// <param name="state">The state.</param>
    /// <param name="fullDepth">What evaluation at full depth executes, so that the folder can be evaluated by itself.</param>
    /// <param name="tokenizer">The tokenizer of the text that the model was trained on.</param>
    /// <param name="data">What the text was made from: the <see cref="Dataset.Inputs"/> of the run's dataset; null where that is not known.</param>
    /// <param name="shards">Where all ranks have written their shares of the optimizer by <see cref="WriteShard"/>; null where this process has all of it.</param>
    /// <exception cref="UserErrorException">There is no space or no permission; what was there before is untouched.</exception>
    public static void Write(
        string folder, TrainingState state, ForwardPlan fullDepth, Tokenizer tokenizer, string? data = null, string? shards = null)
    {
        if (shards is null)
        {
            AtomicFolder.Write(folder, Fill, replace: true, What, Hint);
        }
        else
        {
            AtomicFolder.Complete(shards, folder, Fill, replace: true, What, Hint);
        }

        void Fill(string partial)
        {
            Dictionary<string, string> hashes = new()
            {
                [ModelFolder.WeightsFile] = ModelFolder.Write(partial, state.Model.Config, state.Model.Parameters, tokenizer),
            };
            if (shards is null)
            {
                (string name, string hash) = OptimizerFiles.Write(partial, state.Optimizer, rank: 0);
                hashes.Add(name, hash);
            }

            AtomicFile.Write(Path.Combine(partial, TrainingStateFile.Name), TrainingStateFile.Text(state, fullDepth, data));
            Checksums.Write(partial, hashes);
        }
    }

    /// <summary>A name under which ranks can make a checkpoint together.</summary>
    /// <exception cref="UserErrorException">The disk cannot be written.</exception>
    public static string Beside(string folder)
    {
        string name = "";
        AtomicFolder.Saying(folder, What, Hint, () => name = AtomicFolder.Beside(folder));
        return name;
    }

    /// <summary>Writes a rank's share of an optimizer to where a checkpoint is being made.</summary>
    /// <param name="shards">Of the same name on all ranks, which see one folder by it.</param>
    /// <param name="folder">The checkpoint's name, for messages.</param>
    /// <param name="state">What the rank remembers.</param>
    /// <param name="rank">Its number.</param>
    /// <exception cref="UserErrorException">There is no space or no permission.</exception>
    public static void WriteShard(string shards, string folder, OptimizerState state, int rank) => AtomicFolder.Fill(
        shards, folder, partial => OptimizerFiles.Write(partial, state, rank), What, Hint);

    /// <summary>Reads a state back, once every file is found to be as it was written.</summary>
    /// <param name="folder">The checkpoint.</param>
    /// <param name="optimizer">The update rule; it says which slots there are.</param>
    /// <param name="plannedGrowths">
    /// The growths before a step, by the recipe: checkpoints of the first format only say how many there were.
    /// </param>
    /// <param name="device">Where to put the tensors.</param>
    /// <param name="data">The <see cref="Dataset.Inputs"/> that the checkpoint must have been trained on; null for any.</param>
    /// <param name="share">The ranks that share out what the optimizer remembers; null where this process is to have all of it.</param>
    /// <exception cref="UserErrorException">The folder is no complete checkpoint of Espalier.</exception>
    public static TrainingState Read(
        string folder, IOptimizer optimizer, Func<long, IReadOnlyList<GrowthRecord>> plannedGrowths, Device device,
        string? data = null, Ranks? share = null)
    {
        Verify(folder);
        ModelConfig config = ModelFolder.ReadConfig(folder);
        TrainingStateFile file = TrainingStateFile.Read(Path.Combine(folder, TrainingStateFile.Name));
        if (data is not null && file.Data is string trainedOn && trainedOn != data)
        {
            throw new UserErrorException(
                $"{folder} was trained on other data than the recipe's data.path holds now (its dataset.json says inputs {trainedOn}).",
                "Put that data back, or choose another run folder.");
        }

        ParameterSet parameters = ModelFolder.ReadParameters(folder, config, device);
        OptimizerShards? shards = share is null ? null : new OptimizerShards(parameters.Select(parameter => parameter.Spec), optimizer, share.Size);
        using var remembered = OptimizerFiles.Open(folder);
        var states = parameters.ToDictionary(parameter => parameter.Name, parameter =>
        {
            var whole = new ParameterState(
                optimizer.Slots(parameter.Spec).ToDictionary(
                    slot => slot.Key, slot => new Slot(remembered.Read(parameter.Spec, slot.Key, device), slot.Value)),
                file.StepsOf(parameter.Name))
            {
                New = file.NewIn(parameter.Name),
            };
            return shards is null ? whole : ShardedOptimizer.Deal(whole, shards.Of(parameter.Name, share!.Rank));
        });
        return new TrainingState(
            Model.Of(config, parameters), new OptimizerState(optimizer, states) { Shards = shards }, file.Position(plannedGrowths));
    }

    /// <summary>What evaluation of a folder's model executes: its full depth through the map, if the folder says so.</summary>
    /// <param name="folder">A checkpoint, or any folder of a model.</param>
    /// <param name="model">Its configuration.</param>
    public static ForwardPlan FullDepthPlan(string folder, ModelConfig model)
    {
        string path = Path.Combine(folder, TrainingStateFile.Name);
        if (!File.Exists(path))
        {
            return ForwardPlan.Plain(model.Layers);
        }

        IReadOnlyList<int> layers = TrainingStateFile.Read(path).FullDepthLayers;
        return (layers.Count > 0) == (model.Layers > 0) && layers.All(layer => layer >= 0 && layer < model.Layers)
            ? ForwardPlan.Of(layers)
            : throw new UserErrorException($"{path}: full_depth_layers names a layer that the model has not.");
    }

    /// <summary>Holds a checkpoint to what was written.</summary>
    /// <exception cref="UserErrorException">A file is not as it was, is missing, or does not belong there.</exception>
    public static void Verify(string folder)
    {
        // Earlier ones have no list.
        if (Checksums.AreIn(folder) && Checksums.Problems(folder).FirstOrDefault() is string problem)
        {
            string run = Path.GetDirectoryName(Path.GetDirectoryName(Path.GetFullPath(folder)))!;
            string? before = RunDirectory.CheckpointsOf(run).LastOrDefault(other => RunDirectory.StepOf(other) < RunDirectory.StepOf(folder));
            throw new UserErrorException(
                $"{folder} is damaged: {problem}.",
                before is null
                    ? "There is no checkpoint before it: restore it from a copy, or begin anew in another folder."
                    : $"Go on from the checkpoint before it: write {Path.GetFileName(before)} into {Path.Combine(Path.GetDirectoryName(before)!, RunDirectory.LatestName)}.");
        }
    }
}
