using Espalier.Models;
using Espalier.Optimization;

namespace Espalier.Training;

/// <summary>The memory of a training step on one machine, in bytes, by formulas; the allocator comes on top.</summary>
/// <param name="Parameters">P: the elements of all parameters.</param>
/// <param name="Remembered">S: the elements of all that the optimizer remembers.</param>
/// <param name="Activations">What a micro-batch's forward pass keeps for its backward pass, and what that needs besides for a moment, without dropout.</param>
internal sealed record MemoryNeed(double Parameters, double Remembered, double Activations)
{
    /// <summary>The elements of the largest parameter.</summary>
    public double Largest { get; init; }

    /// <summary>The part of the activations that attention need not keep, where it is computed in one piece.</summary>
    public double AttentionWeights { get; init; }

    /// <summary>Whether it holds the copy that is written in the background: not where the run waits instead, nor on a GPU, whose memory has none of it.</summary>
    public bool HoldsSnapshot { get; init; }

    /// <summary>How the parts come about.</summary>
    public const string Formula =
        "Memory: weights 4 P, gradients 4 P, optimizer 4 for each element that it remembers (AdamW 8 P); activations of a micro-batch of n tokens at depth d: "
        + "n d (4 C + 2 Q + 2 K + 2 F + H T) + 3 n C values of 4 bytes, Q and K the widths of queries and of keys (Llama and Qwen3: 3 F; Qwen3 another Q + K), "
        + "H T the attention weights, which a GPU's fused attention does not keep. In bf16, 2 bytes for all but 2 n d C + 3 n C of them, and 2 for each "
        + "weight of the layers' products once more. The gradients of one layer come on top for a moment: n (H T + 4 Q + 4 K), or twice the values around the activation if they are more, and 2 n C of 4 bytes. "
        + "Where layers are recomputed (training.recompute), this is of one layer, d = 1, and n d C values of 4 bytes on top: what each layer reads. "
        + "A checkpoint written in the background takes weights and optimizer once more, of a run on a GPU in the processor's memory. Dropout's masks and the allocator are not in it.";

    /// <summary>4 P: they stay in single precision.</summary>
    public double Weights => 4 * Parameters;

    /// <summary>4 P.</summary>
    public double Gradients => 4 * Parameters;

    /// <summary>4 S, which is 8 P of AdamW: two moments.</summary>
    public double Optimizer => 4 * Remembered;

    /// <summary>The copy of weights and optimizer that is written in the background.</summary>
    public double Snapshot => HoldsSnapshot ? Weights + Optimizer : 0;

    /// <summary>All parts.</summary>
    public double Total => Weights + Gradients + Optimizer + Activations + Snapshot;

    /// <summary>The need of a stage.</summary>
    /// <param name="model">The model as it is stored.</param>
    /// <param name="optimizer">The update rule.</param>
    /// <param name="depth">The most layers that a micro-batch executes.</param>
    /// <param name="sequences">Sequences of a micro-batch.</param>
    /// <param name="isBf16">Whether matrix products run in bfloat16.</param>
    /// <param name="recompute">Whether a layer keeps only what it reads, and the rest when it runs again.</param>
    public static MemoryNeed Of(ModelConfig model, IOptimizer optimizer, int depth, int sequences, bool isBf16, bool recompute = false)
    {
        IArchitecture architecture = model.Architecture;
        double tokens = (double)sequences * model.ContextLength, hidden = model.HiddenSize;
        double queries = (double)model.Heads * model.HeadSize, keys = (double)model.HeadGroups * model.HeadSize;

        // The stream before each of a layer's norms stays in single precision; then what enters the linear layers, queries, keys
        // and values, and the feed-forward layer before and after its activation.
        int whole = recompute ? Math.Min(1, depth) : depth;
        double stream = tokens * ((2 * hidden * whole) + (recompute ? hidden * depth : 0) + (3 * hidden));
        double units = (architecture.UnitsAreGated ? 3.0 : 2) * model.FfnWidth;
        double attention = (2 * queries) + (2 * keys) + (NormsHeads(model) ? queries + keys : 0) + ((double)model.Heads * model.ContextLength);
        double products = tokens * whole * ((2 * hidden) + attention + units);

        // A backward pass is widest where it has the gradients of a layer's attention weights, queries, keys and values, apart and
        // side by side, or those around its activation.
        double gradients = Math.Max(
            ((double)model.Heads * model.ContextLength) + (4 * queries) + (4 * keys), 2 * units);
        double moment = tokens * ((2 * 4 * hidden) + ((isBf16 ? 2 : 4) * gradients));
        double lowered = isBf16 ? 2 * ElementsOf(model, parameter => parameter is { Layer: not null, Axes.Count: 2 } ? 1 : 0) : 0;
        int size = isBf16 ? 2 : 4;
        return new MemoryNeed(
            ElementsOf(model, _ => 1), ElementsOf(model, parameter => optimizer.Slots(parameter).Count), (4 * stream) + (size * products) + lowered + moment)
        {
            Largest = architecture.Parameters(model).Max(parameter => parameter.Elements),
            AttentionWeights = size * tokens * whole * model.Heads * model.ContextLength,
        };
    }

    /// <summary>The need of a stage of a run.</summary>
    public static MemoryNeed Of(Recipe recipe, CostStage stage, IOptimizer optimizer, bool isBf16, bool onGpu)
    {
        MemoryNeed need = Of(stage.Model, optimizer, stage.Depth, recipe.Training.MicroBatch, isBf16, recipe.Training.Recompute);
        return need with { HoldsSnapshot = recipe.Checkpoint.Background && !onGpu };
    }

    /// <summary>The need of each of several ranks that share out what the optimizer remembers.</summary>
    /// <param name="ranks">N.</param>
    public MemoryNeed DealtOver(int ranks) => this with { Remembered = Remembered / ranks };

    private static bool NormsHeads(ModelConfig model) => model.Architecture.Parameters(model)
        .Any(parameter => parameter.Axes is [{ Kind: AxisKind.HeadElement }]);

    private static double ElementsOf(ModelConfig model, Func<ParameterSpec, int> times) => model.Architecture.Parameters(model)
        .Sum(parameter => times(parameter) * (double)parameter.Elements);
}
