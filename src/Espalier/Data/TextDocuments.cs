namespace Espalier.Data;

/// <summary>What is one document of a .txt file.</summary>
public enum TextDocuments
{
    /// <summary>The whole file.</summary>
    File,

    /// <summary>Each line that is not blank.</summary>
    Line,

    /// <summary>The lines between blank ones, such as a paragraph.</summary>
    BlankLine,
}
