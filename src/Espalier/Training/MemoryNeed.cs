using Espalier.Models;
using Espalier.Optimization;

namespace Espalier.Training;

/// <summary>The memory of a training step on one machine, in bytes, by formulas; what a backward pass needs for a moment, and the allocator, come on top.</summary>
/// <param name="Parameters">P: the elements of all parameters.</param>
/// <param name="Remembered">S: the elements of all that the optimizer remembers.</param>
/// <param name="Activations">What a micro-batch's forward pass keeps for its backward pass.</param>
internal sealed record MemoryNeed(double Parameters, double Remembered, double Activations)
{
    /// <summary>The part of the activations that attention need not keep, where it is computed in one piece.</summary>
    public double AttentionWeights { get; init; }

    /// <summary>How the parts come about.</summary>
    public const string Formula =
        "Memory: weights 4 P, gradients 4 P, optimizer 4 for each element that it remembers (AdamW 8 P); activations of a micro-batch of n tokens at depth d: "
        + "n d (4 C + 2 A + 2 K + m F + H T) + 3 n C values of 4 bytes (in bf16, 2 for all but 2 n d C + 3 n C of them), A the width of the "
        + "queries, K that of the keys, m the matrices of a feed-forward layer, "
        + "H T the attention weights, which a GPU's fused attention does not keep. What a backward pass needs for a moment, and the allocator, come on top.";

    /// <summary>4 P: they stay in single precision.</summary>
    public double Weights => 4 * Parameters;

    /// <summary>4 P.</summary>
    public double Gradients => 4 * Parameters;

    /// <summary>4 S, which is 8 P of AdamW: two moments.</summary>
    public double Optimizer => 4 * Remembered;

    /// <summary>All parts.</summary>
    public double Total => Weights + Gradients + Optimizer + Activations;

    /// <summary>The need of a stage.</summary>
    /// <param name="model">The model as it is stored.</param>
    /// <param name="optimizer">The update rule.</param>
    /// <param name="depth">The most layers that a micro-batch executes.</param>
    /// <param name="sequences">Sequences of a micro-batch.</param>
    /// <param name="isBf16">Whether matrix products run in bfloat16.</param>
    public static MemoryNeed Of(ModelConfig model, IOptimizer optimizer, int depth, int sequences, bool isBf16)
    {
        double tokens = (double)sequences * model.ContextLength, hidden = model.HiddenSize;

        // The stream before each of a layer's norms stays in single precision; then both norms' outputs, queries, keys and values,
        // what attention mixes, what the feed-forward layer makes of its input, and what enters its last matrix.
        double stream = tokens * ((2 * hidden * depth) + (3 * hidden));
        double queries = (double)model.Heads * model.HeadSize, keys = (double)model.HeadGroups * model.HeadSize;
        double feedForward = (double)FeedForwardMatrices(model) * model.FfnWidth;
        double products = tokens * depth
            * ((2 * hidden) + (2 * queries) + (2 * keys) + feedForward + ((double)model.Heads * model.ContextLength));
        int size = isBf16 ? 2 : 4;
        return new MemoryNeed(
            ElementsOf(model, _ => 1), ElementsOf(model, parameter => optimizer.Slots(parameter).Count), (4 * stream) + (size * products))
        {
            AttentionWeights = size * tokens * depth * model.Heads * model.ContextLength,
        };
    }

    private static int FeedForwardMatrices(ModelConfig model) => Architectures.Of(model.ModelType).Parameters(model)
        .Count(parameter => parameter.Layer == 0 && parameter.Axes.Count == 2 && parameter.Axes.Any(axis => axis.Kind == AxisKind.Ffn));

    private static double ElementsOf(ModelConfig model, Func<ParameterSpec, int> times) => Architectures.Of(model.ModelType).Parameters(model)
        .Sum(parameter => parameter.Shape.Aggregate((double)times(parameter), (product, size) => product * size));
}
