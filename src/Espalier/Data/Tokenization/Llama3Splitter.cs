namespace Espalier.Data;

/// <summary>
/// Cuts UTF-8 text into words as Llama 3, Qwen and their kin do. The alternatives of their expression, in its order, are
/// the branches of <see cref="NextWord"/>: contractions in either case; letters, with one character before them that is
/// neither digit nor newline; some digits; punctuation, with a space before it and newlines after it; white space.
/// </summary>
internal static class Llama3Splitter
{
    /// <summary>The expression, as <c>tokenizer.json</c> has it.</summary>
    /// <param name="mostDigits">How many digits stay together.</param>
    public static string Expression(int mostDigits)
    {
        string digits = mostDigits == 1 ? @"\p{N}" : $@"\p{{N}}{{1,{mostDigits}}}";
        return $@"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    }

    /// <summary>The length in bytes of the word that <paramref name="text"/> starts with; 0 for empty text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="mostDigits">How many digits stay together.</param>
    public static int NextWord(ReadOnlySpan<byte> text, int mostDigits)
    {
        if (text.IsEmpty)
        {
            return 0;
        }

        if (text[0] == '\'' && Contraction(text) is int length and > 0)
        {
            return length;
        }

        CharacterKind first = CharacterKinds.KindAt(text, out int width);
        if (first == CharacterKind.Number)
        {
            return EndOfDigits(text, width, mostDigits);
        }

        CharacterKind? second = width < text.Length ? CharacterKinds.KindAt(text[width..], out _) : null;
        if (first == CharacterKind.Letter || (second == CharacterKind.Letter && !IsNewline(text[0])))
        {
            return CharacterKinds.EndOfRun(text, width, CharacterKind.Letter);
        }

        return first == CharacterKind.Other || (second == CharacterKind.Other && text[0] == ' ')
            ? EndOfNewlines(text, CharacterKinds.EndOfRun(text, width, CharacterKind.Other))
            : EndOfSpace(text);
    }

    private static int EndOfDigits(ReadOnlySpan<byte> text, int end, int most)
    {
        for (int count = 1; count < most && end < text.Length
            && CharacterKinds.KindAt(text[end..], out int width) == CharacterKind.Number; count++)
        {
            end += width;
        }

        return end;
    }

    private static int EndOfNewlines(ReadOnlySpan<byte> text, int end)
    {
        while (end < text.Length && IsNewline(text[end]))
        {
            end++;
        }

        return end;
    }

    /// <summary>Up to the last newline; without one, a run leaves its last character to the word that follows, if one does.</summary>
    private static int EndOfSpace(ReadOnlySpan<byte> text)
    {
        int end = 0, last = 0, newlines = 0;
        while (end < text.Length && CharacterKinds.KindAt(text[end..], out int width) == CharacterKind.Space)
        {
            last = end;
            end += width;
            newlines = IsNewline(text[last]) ? end : newlines;
        }

        return newlines > 0 ? newlines : end == text.Length || last == 0 ? end : last;
    }

    private static int Contraction(ReadOnlySpan<byte> text)
    {
        if (text.Length < 2)
        {
            return 0;
        }

        // The long s is an s in another case.
        if (text[1..].StartsWith("\u017F"u8))
        {
            return 3;
        }

        int second = text.Length > 2 ? text[2] | 0x20 : 0;
        return (text[1] | 0x20, second) switch
        {
            ('s' or 't' or 'm' or 'd', _) => 2,
            ('r' or 'v', 'e') or ('l', 'l') => 3,
            _ => 0,
        };
    }

    private static bool IsNewline(byte b) => b is (byte)'\n' or (byte)'\r';
}
