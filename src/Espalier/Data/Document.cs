namespace Espalier.Data;

/// <summary>One document of a corpus: a text file, or a line of a .jsonl file.</summary>
/// <param name="FileName">Its file, relative to the folder that was named, with <c>/</c> between folders.</param>
/// <param name="Text">Its text: valid UTF-8 without a byte order mark, never empty.</param>
/// <param name="BytesRead">How many bytes of the corpus's files had been read when it was found, for progress.</param>
public sealed record Document(string FileName, ReadOnlyMemory<byte> Text, long BytesRead);
