namespace Espalier.Data;

/// <summary>
/// Cuts UTF-8 text into the words inside which byte pairs may merge, as GPT-2's expression does:
/// <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c>.
/// A scanner rather than a Regex: .NET's sees UTF-16 units, so it would misjudge letters beyond U+FFFF.
/// </summary>
internal static class Gpt2Splitter
{
    /// <summary>The length in bytes of the word that <paramref name="text"/> starts with; 0 for empty text.</summary>
    public static int NextWord(ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty)
        {
            return 0;
        }

        if (text[0] == '\'' && Contraction(text) is int length and > 0)
        {
            return length;
        }

        int start = text[0] == ' ' && text.Length > 1 ? 1 : 0;
        CharacterKind kind = CharacterKinds.KindAt(text[start..], out int width);
        if (kind != CharacterKind.Space)
        {
            return CharacterKinds.EndOfRun(text, start + width, kind);
        }

        // White space: a run leaves its last character to the word that follows, if one does.
        int end = 0, last = 0;
        while (end < text.Length && CharacterKinds.KindAt(text[end..], out width) == CharacterKind.Space)
        {
            last = end;
            end += width;
        }

        return end == text.Length || last == 0 ? end : last;
    }

    private static int Contraction(ReadOnlySpan<byte> text)
    {
        ReadOnlySpan<byte> rest = text[1..];
        if (rest.StartsWith("s"u8) || rest.StartsWith("t"u8) || rest.StartsWith("m"u8) || rest.StartsWith("d"u8))
        {
            return 2;
        }

        return rest.StartsWith("re"u8) || rest.StartsWith("ve"u8) || rest.StartsWith("ll"u8) ? 3 : 0;
    }
}
