namespace Espalier.Data;

/// <summary>One document of a corpus, a text file or a line of a .jsonl file; or a piece of a long one.</summary>
/// <param name="FileName">Its file, relative to the folder that was named, with <c>/</c> between folders.</param>
/// <param name="Text">Its text: valid UTF-8 without a byte order mark, never empty.</param>
/// <param name="BytesRead">How many bytes of the corpus's files had been read when it was found, for progress.</param>
public sealed record Document(string FileName, ReadOnlyMemory<byte> Text, long BytesRead)
{
    /// <summary>Whether this is a piece that goes on the document before it. No word and no token crosses pieces.</summary>
    public bool Continues { get; init; }
}
