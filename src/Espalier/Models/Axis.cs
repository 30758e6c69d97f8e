namespace Espalier.Models;

/// <summary>What the units of an axis are: those of one kind grow together, in every parameter.</summary>
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

    /// <summary>Attention heads, each of several elements: a key/value head with all query heads that share it is one unit.</summary>
    Heads,

    /// <summary>Units of the feed-forward layer.</summary>
    Ffn,

    /// <summary>Scores of a whole sequence: one for each class.</summary>
    Class,

    /// <summary>Elements of one head, where all heads share a parameter.</summary>
    HeadElement,
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

/// <summary>
/// One axis of a parameter: growth operators widen a model by these alone. Its elements lie part by part, in each part
/// unit by unit: the output of a GPT-2's <c>c_attn</c> of 12 heads of 64 is (Heads, Output, 12, 64, 3), queries before keys
/// before values.
/// </summary>
/// <param name="Kind">What its units are.</param>
/// <param name="Side">Whether the parameter reads or writes it.</param>
/// <param name="Units">How many.</param>
/// <param name="UnitSize">Elements of one unit, in each part.</param>
/// <param name="Parts">How often all units stand side by side.</param>
public readonly record struct Axis(AxisKind Kind, AxisSide Side, int Units, int UnitSize = 1, int Parts = 1)
{
    /// <summary>The elements along the axis.</summary>
    public int Size => Units * UnitSize * Parts;

    /// <summary>The unit that each element belongs to.</summary>
    internal IEnumerable<int> UnitOfElement
    {
        get
        {
            int units = Units, unitSize = UnitSize;
            return Enumerable.Range(0, Size).Select(element => element / unitSize % units);
        }
    }
}
