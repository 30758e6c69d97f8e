namespace Espalier.Models;

/// <summary>How a parameter starts.</summary>
public enum Initialization
{
    /// <summary>All zeros: biases.</summary>
    Zeros,

    /// <summary>All ones: the weights of norms.</summary>
    Ones,

    /// <summary>Normal with <see cref="ModelConfig.InitializerRange"/>.</summary>
    Normal,

    /// <summary>
    /// Normal with <see cref="ModelConfig.InitializerRange"/> over the square root of twice the final layers: what
    /// each sublayer adds to the residual stream (GPT-2, section 2.3).
    /// </summary>
    ResidualProjection,
}

/// <summary>What a parameter is, apart from its values.</summary>
/// <param name="Name">Hugging Face's name.</param>
/// <param name="Layer">The layer that it belongs to, or null for embeddings, final norm and head.</param>
/// <param name="Role">Its name without the layer's prefix: equal for the same part of every layer.</param>
/// <param name="Axes">Its axes, outermost first.</param>
/// <param name="Initialization">How it starts.</param>
public sealed record ParameterSpec(
    string Name, int? Layer, string Role, IReadOnlyList<Axis> Axes, Initialization Initialization)
{
    /// <summary>
    /// Whether its output goes to the vocabulary head alone: the last norm. Halved where the head's input doubles, it leaves
    /// the scores as they are (Staged Training, arXiv 2203.06211).
    /// </summary>
    public bool IsReadByHead { get; init; }

    /// <summary>
    /// Whether that head is the token embedding. Growth copies the embedding as what produces the residual stream, so that it
    /// cannot be made smaller as what reads the last norm: the norm is, in its place.
    /// </summary>
    public bool IsReadByTiedHead { get; init; }

    /// <summary>
    /// Whether it makes what a sublayer of a layer adds to the residual stream: the weight or the bias of an output projection.
    /// </summary>
    public bool AddsToStream => Layer is not null && Axes.Any(axis => axis is { Kind: AxisKind.Hidden, Side: AxisSide.Output });

    /// <summary>
    /// Whether attention's scores are in proportion to it: what makes queries, or norms them. Where queries, keys and values are made
    /// side by side, its first part.
    /// </summary>
    public bool MakesQueries { get; init; }

    /// <summary>
    /// Its size as a matrix, or that of each where several stand side by side. A table of embeddings takes the vocabulary to the width.
    /// </summary>
    public Fans Fans => FansOf(axis => axis.Units * axis.UnitSize);

    /// <summary>The sizes of the axes.</summary>
    public long[] Shape => [.. Axes.Select(axis => (long)axis.Size)];

    /// <summary>How many numbers it has.</summary>
    public long Elements => Shape.Aggregate(1L, (product, size) => product * size);

    /// <summary>Whether weight decay applies: to matrices, not to biases and norms.</summary>
    public bool Decays => Axes.Count > 1;

    /// <summary>Something of its input axis and of its output axis; 1 of the input of a vector.</summary>
    internal Fans FansOf(Func<Axis, double> size)
    {
        int output = Axes.Count == 1 || Axes[0].Side == AxisSide.Output ? 0 : 1;
        return new Fans(Axes.Count == 1 ? 1 : size(Axes[1 - output]), size(Axes[output]));
    }
}
