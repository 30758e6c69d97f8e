using Espalier.Data;
using Espalier.Evaluation;
using Espalier.Growth;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Training;

/// <summary>
/// Growth of a model outside of a run, into a Hugging Face folder. Weights alone: what an optimizer remembered goes with the
/// recipe, the data and the position of its run, none of which a folder of one model has, so that nothing could go on with it.
/// </summary>
public static class ModelGrowth
{
    /// <summary>What a checkpoint's receipt names as left out.</summary>
    public const string OptimizerState = "optimizer state";

    // Of a text, enough to tell a difference, and little enough to wait for.
    private const int MostTokens = 4096;
    private const int BatchTokens = 2048;

    /// <summary>Grows a model, measures it before and after, and writes it, completely or not at all.</summary>
    /// <param name="folder">Where to: a new folder, or an empty one.</param>
    /// <param name="source">The model, of which the layers that are stored grow; it stays as it is.</param>
    /// <param name="entry">The operator.</param>
    /// <param name="to">The sizes to grow to, such as <see cref="GrowthTarget.Parse"/> gives them.</param>
    /// <param name="settings">What else is said of the growth.</param>
    /// <param name="text">What to measure on, as <see cref="EvaluationText.Open"/> takes it; null for nothing.</param>
    /// <param name="compute">Where the model lies. In single precision, whatever it says of the number format.</param>
    /// <exception cref="UserErrorException">The operator does not reach the sizes, or something cannot be read or written.</exception>
    public static GrowthReceipt Write(
        string folder, LoadedModel source, OperatorEntry entry, ModelConfig to, GrowthSettings settings, string? text, Compute compute)
    {
        GrowthOperator growth = entry.Reach(source.Config, to, settings);
        Kept promised = growth.Promise(source.Config).Loss;
        using EvaluationText? opened = text is null ? null : EvaluationText.Open(text, source.Tokenizer);
        IHeldOutBatches? batches = Batches(MostTokens);

        // Growth that looks at text may look at all of it.
        var context = new TextGrowthContext(growth, Batches(null), compute with { Bf16 = false }, settings.Seed ?? 1);
        using Model grown = Grow(source.Model, growth, context);
        Parity? parity = batches is null ? null : Parity.Measure(source.Model, grown, promised, batches);
        string[] leftOut = [.. LeftOut(source, grown)];
        ModelExport.Write(folder, source, grown);
        return new GrowthReceipt(
            entry.Name, entry.Source, Sizes(source.Config), Sizes(grown.Config), source.Model.Parameters.ElementCount,
            grown.Parameters.ElementCount, promised, parity, leftOut);

        IHeldOutBatches? Batches(long? most) => opened is null ? null : source.Model.Architecture.Objective(source.Tokenizer).HeldOut(
            opened.Tokens, Math.Max(1, BatchTokens / source.Config.ContextLength), source.Config.ContextLength, most, null);
    }

    /// <summary>A grown model; the one that it is made from stays as it is.</summary>
    private static Model Grow(Model model, GrowthOperator growth, IGrowthContext context)
    {
        var nothing = Optimization.OptimizerState.Begin(new Sgd(new SgdConfig { Momentum = 0 }), model.Parameters);
        TrainingState state = new TrainingState(model, nothing, new TrainingPosition()).Copy();
        return growth.Apply(state, context).Model;
    }

    private static IEnumerable<string> LeftOut(LoadedModel source, Model grown)
    {
        foreach (string tensor in ModelFolder.UnusedTensors(source.Path, source.Config))
        {
            yield return tensor;
        }

        if (!ModelExport.FitsExtras(source.Config, grown.Config))
        {
            IReadOnlyDictionary<string, Tensor> extras = ModelFolder.ReadExtras(source.Path, source.Config, Device.Cpu);
            foreach ((string name, Tensor value) in extras)
            {
                value.Dispose();
                yield return name;
            }
        }

        if (Checkpoint.Is(ModelFolder.FolderOf(source.Path)))
        {
            yield return OptimizerState;
        }
    }

    private static Dictionary<string, int> Sizes(ModelConfig model) =>
        GrowthSize.Of(model).ToDictionary(size => size.Key, size => size.In(model));
}
