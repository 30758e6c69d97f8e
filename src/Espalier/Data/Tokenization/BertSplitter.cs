using System.Buffers;
using System.Text;

namespace Espalier.Data;

/// <summary>
/// Cuts text into BERT's words: what stands between white space, with every punctuation mark a word of its own. Text is
/// first cut at ASCII white space and punctuation into chunks, over which no rule reaches, so that what becomes of a
/// chunk can be remembered.
/// </summary>
/// <param name="normalizer">What is done to a chunk before; null: nothing.</param>
internal sealed class BertSplitter(BertNormalizer? normalizer)
{
    private const string WhiteSpace = " \t\n\r";

    /// <summary>The bytes of most words, and of few ideographs.</summary>
    private const int UsualWord = 8;

    private static readonly SearchValues<byte> Ends = SearchValues.Create(
        [.. Enumerable.Range(0, 128).Where(c => WhiteSpace.Contains((char)c) || BertCharacters.IsPunctuation(new Rune(c))).Select(c => (byte)c)]);

    private static readonly SearchValues<byte> Spaces = SearchValues.Create([.. WhiteSpace.Select(c => (byte)c)]);

    [ThreadStatic]
    private static List<Rune>? _normalized;

    /// <summary>
    /// The length in bytes of the chunk that <paramref name="text"/> starts with: white space, one punctuation mark, or all
    /// up to the next of these.
    /// </summary>
    /// <param name="text">Text, not empty.</param>
    /// <param name="isSpace">Whether the chunk is white space and holds no word.</param>
    public static int NextChunk(ReadOnlySpan<byte> text, out bool isSpace)
    {
        int length = text.IndexOfAny(Ends);
        isSpace = length == 0 && Spaces.Contains(text[0]);
        if (length > 0)
        {
            return length;
        }

        length = isSpace ? text.IndexOfAnyExcept(Spaces) : length < 0 ? text.Length : 1;
        return length < 0 ? text.Length : length;
    }

    /// <summary>
    /// The same where every ideograph becomes a word of its own: a long chunk also ends before the next one. Else a Chinese
    /// text, which has no spaces, would be chunks of which hardly any comes twice.
    /// </summary>
    public static int NextChunkOrIdeograph(ReadOnlySpan<byte> text)
    {
        int length = NextChunk(text, out _);
        if (length <= UsualWord || Ascii.IsValid(text[..length]))
        {
            return length;
        }

        for (int at = 0, width; at < length; at += width)
        {
            Rune.DecodeFromUtf8(text[at..length], out Rune rune, out width);
            if (at > 0 && BertCharacters.IsChinese(rune))
            {
                return at;
            }
        }

        return length;
    }

    /// <summary>Replaces <paramref name="words"/> by the normalized words of some text.</summary>
    public void Split(ReadOnlySpan<byte> text, WordList words)
    {
        words.Clear();
        List<Rune> runes = _normalized ??= [];
        runes.Clear();
        (normalizer ?? Nothing).Normalize(text, runes);
        foreach (Rune rune in runes)
        {
            if (Rune.IsWhiteSpace(rune))
            {
                words.EndWord();
            }
            else if (BertCharacters.IsPunctuation(rune))
            {
                words.EndWord();
                words.Append(rune);
                words.EndWord();
            }
            else
            {
                words.Append(rune);
            }
        }

        words.EndWord();
    }

    private static BertNormalizer Nothing { get; } = new(false, false, false, false);
}
