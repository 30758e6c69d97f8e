using System.Buffers;
using System.Globalization;
using System.Text;

namespace Espalier.Data;

/// <summary>What the expressions that cut text into words tell apart: <c>\p{L}</c>, <c>\p{N}</c>, <c>\s</c> and the rest.</summary>
internal enum CharacterKind : byte
{
    Other,
    Letter,
    Number,
    Space,
}

/// <summary>The kinds of the characters of UTF-8 text.</summary>
internal static class CharacterKinds
{
    private static readonly CharacterKind[] AsciiKinds = [.. Enumerable.Range(0, 128).Select(c => KindOf(new Rune(c)))];

    /// <summary>The kind of the character that a text, not empty, begins with; bytes that are no valid UTF-8 are Other.</summary>
    public static CharacterKind KindAt(ReadOnlySpan<byte> text, out int width)
    {
        byte first = text[0];
        if (first < 128)
        {
            width = 1;
            return AsciiKinds[first];
        }

        return Rune.DecodeFromUtf8(text, out Rune rune, out width) == OperationStatus.Done ? KindOf(rune) : CharacterKind.Other;
    }

    /// <summary>Where characters of a kind end that go on from <paramref name="end"/>.</summary>
    public static int EndOfRun(ReadOnlySpan<byte> text, int end, CharacterKind kind)
    {
        while (end < text.Length)
        {
            int width = 1;
            if ((text[end] < 128 ? AsciiKinds[text[end]] : KindAt(text[end..], out width)) != kind)
            {
                break;
            }

            end += width;
        }

        return end;
    }

    private static CharacterKind KindOf(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        <= UnicodeCategory.OtherLetter => CharacterKind.Letter,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => CharacterKind.Number,
        _ => Rune.IsWhiteSpace(rune) ? CharacterKind.Space : CharacterKind.Other,
    };
}
