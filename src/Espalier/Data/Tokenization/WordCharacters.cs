using System.Globalization;
using System.Text;

namespace Espalier.Data;

/// <summary>The characters of words, <c>\w</c> as Unicode defines it for regular expressions (UTS #18, annex C).</summary>
internal static class WordCharacters
{
    /// <summary>Whether a character is alphabetic, a mark, a digit, a connector, or joins such.</summary>
    public static bool Contains(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        <= UnicodeCategory.LetterNumber => true,
        UnicodeCategory.ConnectorPunctuation => true,

        // Letters in circles and squares are symbols, and alphabetic.
        UnicodeCategory.OtherSymbol => rune.Value is (>= 0x24B6 and <= 0x24E9)
            or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189),
        _ => rune.Value is 0x200C or 0x200D,
    };
}
