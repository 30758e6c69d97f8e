using System.Buffers;
using System.Text;

namespace Espalier.Data;

/// <summary>Finds added tokens in a text: the leftmost, and of those that start there the longest.</summary>
internal sealed class AddedTokenMatcher
{
    private readonly List<AddedToken> _tokens = [];
    private readonly ByteTrie _contents = new();
    private readonly SearchValues<byte> _firstBytes;

    /// <param name="tokens">What each token looks like in the text, in UTF-8, and the token.</param>
    public AddedTokenMatcher(IEnumerable<(byte[] Content, AddedToken Token)> tokens)
    {
        var first = new HashSet<byte>();
        foreach ((byte[] content, AddedToken token) in tokens.Where(token => token.Content.Length > 0))
        {
            _contents.Add(content, _tokens.Count);
            _tokens.Add(token);
            first.Add(content[0]);
            HasOrdinary |= !token.IsSpecial;
        }

        _firstBytes = SearchValues.Create([.. first]);
    }

    /// <summary>Whether there is anything to find.</summary>
    public bool IsEmpty => _tokens.Count == 0;

    /// <summary>Whether there is a token that is not special.</summary>
    public bool HasOrdinary { get; }

    /// <summary>Finds the next token in <paramref name="text"/>.</summary>
    /// <param name="text">The text.</param>
    /// <param name="from">Where to begin; afterwards, where to go on.</param>
    /// <param name="allowSpecial">Whether special tokens count; if not they are skipped.</param>
    /// <param name="consumed">The white space before this belongs to the token before.</param>
    /// <param name="found">The token and the bytes that it takes.</param>
    public bool TryFind(
        ReadOnlySpan<byte> text, ref int from, bool allowSpecial, int consumed, out (AddedToken Token, int Start, int End) found)
    {
        while (from < text.Length && text[from..].IndexOfAny(_firstBytes) is int skipped and >= 0)
        {
            int start = from + skipped, length = _contents.LongestPrefix(text[start..], out int index);
            from = start + Math.Max(length, 1);
            if (length == 0)
            {
                continue;
            }

            AddedToken token = _tokens[index];
            ReadOnlySpan<byte> before = text[..start], after = text[from..];
            if ((token.IsSpecial && !allowSpecial) || (token.SingleWord && (EndsWithWord(before) || StartsWithWord(after))))
            {
                continue;
            }

            found = (
                token,
                token.StripsLeft ? Math.Max(TrimmedEnd(before), consumed) : start,
                token.StripsRight ? from + TrimmedStart(after) : from);
            return true;
        }

        found = default;
        return false;
    }

    private static bool EndsWithWord(ReadOnlySpan<byte> text) =>
        Rune.DecodeLastFromUtf8(text, out Rune rune, out _) == OperationStatus.Done && WordCharacters.Contains(rune);

    private static bool StartsWithWord(ReadOnlySpan<byte> text) =>
        Rune.DecodeFromUtf8(text, out Rune rune, out _) == OperationStatus.Done && WordCharacters.Contains(rune);

    private static int TrimmedEnd(ReadOnlySpan<byte> text)
    {
        while (Rune.DecodeLastFromUtf8(text, out Rune rune, out int width) == OperationStatus.Done && Rune.IsWhiteSpace(rune))
        {
            text = text[..^width];
        }

        return text.Length;
    }

    private static int TrimmedStart(ReadOnlySpan<byte> text)
    {
        int length = 0;
        while (Rune.DecodeFromUtf8(text[length..], out Rune rune, out int width) == OperationStatus.Done && Rune.IsWhiteSpace(rune))
        {
            length += width;
        }

        return length;
    }
}
