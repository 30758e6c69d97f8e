namespace Espalier.Data;

/// <summary>A token that stands outside the model's own segmentation, such as <c>&lt;|endoftext|&gt;</c>.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">Its text.</param>
/// <param name="IsSpecial">
/// Whether it is a control token, recognised in text only on request, rather than an ordinary word.
/// </param>
public sealed record AddedToken(int Id, string Content, bool IsSpecial)
{
    /// <summary>Whether it is recognised only where no letter, mark or digit touches it.</summary>
    public bool SingleWord { get; init; }

    /// <summary>Whether it takes the white space before it with it.</summary>
    public bool StripsLeft { get; init; }

    /// <summary>Whether it takes the white space after it with it.</summary>
    public bool StripsRight { get; init; }

    /// <summary>Whether it is looked for, itself normalized, in the normalized text rather than in the text as it is.</summary>
    public bool Normalized { get; init; }
}
