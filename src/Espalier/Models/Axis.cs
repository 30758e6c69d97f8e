namespace Espalier.Models;

/// <summary>What an axis of a parameter counts.</summary>
public enum AxisKind
{
    /// <summary>Entries of the vocabulary.</summary>
    Vocabulary,

    /// <summary>Positions of the context.</summary>
    Position,

    /// <summary>Segments that a token can belong to.</summary>
    Type,

    /// <summary>Units of the residual stream.</summary>
    Hidden,

    /// <summary>Heads times head size.</summary>
    Heads,

    /// <summary>Queries, keys and values side by side, each heads times head size.</summary>
    QueryKeyValue,

    /// <summary>Units of the feed-forward layer.</summary>
    Ffn,

    /// <summary>Scores of a whole sequence: one for each class.</summary>
    Class,
}

/// <summary>Whether a parameter reads an axis, writes it, or neither.</summary>
public enum AxisSide
{
    /// <summary>It looks rows up along the axis, or scales it in place.</summary>
    None,

    /// <summary>It takes its input along the axis.</summary>
    Input,

    /// <summary>It produces its output along the axis.</summary>
    Output,
}

/// <summary>One axis of a parameter: growth operators widen a model by these alone.</summary>
/// <param name="Kind">What it counts.</param>
/// <param name="Side">Whether the parameter reads or writes it.</param>
/// <param name="Size">How many.</param>
public readonly record struct Axis(AxisKind Kind, AxisSide Side, int Size);
