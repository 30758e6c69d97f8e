namespace Espalier.Data;

/// <summary>A token that stands outside the model's own segmentation, such as <c>&lt;|endoftext|&gt;</c>.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">Its text.</param>
/// <param name="IsSpecial">
/// Whether it is a control token, recognised in text only on request, rather than an ordinary word.
/// </param>
public sealed record AddedToken(int Id, string Content, bool IsSpecial);
