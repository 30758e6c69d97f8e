using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Espalier.Data;

/// <summary>What BERT does to text before it looks for words (Devlin et al. 2019, as Hugging Face's library does it).</summary>
/// <param name="CleanText">Whether control characters go, and all white space becomes spaces.</param>
/// <param name="HandleChineseChars">Whether every ideograph becomes a word of its own.</param>
/// <param name="StripAccents">Whether accents go; null: where <paramref name="Lowercase"/> says so.</param>
/// <param name="Lowercase">Whether everything becomes lower case.</param>
internal sealed record BertNormalizer(bool CleanText, bool HandleChineseChars, bool? StripAccents, bool Lowercase)
{
    [ThreadStatic]
    private static List<Rune>? _marked;

    /// <summary>What BERT uncased (<paramref name="lowercase"/>) and BERT cased do.</summary>
    public static BertNormalizer Usual(bool lowercase) =>
        new(CleanText: true, HandleChineseChars: true, StripAccents: null, lowercase);

    /// <summary>Appends the normalized text.</summary>
    /// <param name="utf8">The text; what is no valid UTF-8 counts as U+FFFD.</param>
    /// <param name="output">Where the characters go.</param>
    public void Normalize(ReadOnlySpan<byte> utf8, List<Rune> output)
    {
        int start = output.Count;
        while (!utf8.IsEmpty)
        {
            Rune.DecodeFromUtf8(utf8, out Rune rune, out int width);
            utf8 = utf8[width..];
            if (CleanText)
            {
                if (rune.Value is 0 or 0xFFFD || BertCharacters.IsControl(rune))
                {
                    continue;
                }

                rune = Rune.IsWhiteSpace(rune) ? new Rune(' ') : rune;
            }

            if (HandleChineseChars && BertCharacters.IsChinese(rune))
            {
                output.Add(new Rune(' '));
                output.Add(rune);
                output.Add(new Rune(' '));
            }
            else
            {
                output.Add(rune);
            }
        }

        if (StripAccents ?? Lowercase)
        {
            RemoveAccents(output, start);
        }

        if (Lowercase)
        {
            Lower(output, start);
        }
    }

    /// <summary>The normalized text in UTF-8.</summary>
    public byte[] Normalize(ReadOnlySpan<byte> utf8)
    {
        var runes = new List<Rune>();
        Normalize(utf8, runes);
        var bytes = new byte[runes.Sum(rune => rune.Utf8SequenceLength)];
        int length = 0;
        foreach (Rune rune in runes)
        {
            length += rune.EncodeToUtf8(bytes.AsSpan(length));
        }

        return bytes;
    }

    /// <summary>Reads the <c>normalizer</c> of a file; null when it has none.</summary>
    public static BertNormalizer? FromJson(TokenizerJson json)
    {
        if (json.Part("normalizer") is not JsonElement part)
        {
            return null;
        }

        string type = json.String(part, "normalizer", "type");
        if (type != "BertNormalizer")
        {
            throw json.Unsupported($"the normalizer \"{type}\" with WordPiece", "BertNormalizer");
        }

        json.AllowOnly(
            part, "the normalizer", "type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase");
        bool? stripAccents = part.TryGetProperty("strip_accents", out JsonElement strip) && strip.ValueKind != JsonValueKind.Null
            ? json.Flag(part, "strip_accents")
            : null;
        return new BertNormalizer(Flag("clean_text"), Flag("handle_chinese_chars"), stripAccents, Flag("lowercase"));

        bool Flag(string name) => json.Flag(part, name, otherwise: true);
    }

    /// <summary>Writes the <c>normalizer</c>.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject("normalizer");
        json.WriteString("type", "BertNormalizer");
        json.WriteBoolean("clean_text", CleanText);
        json.WriteBoolean("handle_chinese_chars", HandleChineseChars);
        if (StripAccents is bool strip)
        {
            json.WriteBoolean("strip_accents", strip);
        }
        else
        {
            json.WriteNull("strip_accents");
        }

        json.WriteBoolean("lowercase", Lowercase);
        json.WriteEndObject();
    }

    private static void RemoveAccents(List<Rune> text, int start)
    {
        List<Rune> marked = _marked ??= [];
        marked.Clear();
        foreach (Rune rune in CollectionsMarshal.AsSpan(text)[start..])
        {
            CanonicalDecomposition.Append(rune, marked);
        }

        CanonicalDecomposition.Order(CollectionsMarshal.AsSpan(marked));
        CollectionsMarshal.SetCount(text, start);
        foreach (Rune rune in marked)
        {
            if (!BertCharacters.IsNonspacingMark(rune))
            {
                text.Add(rune);
            }
        }
    }

    private static void Lower(List<Rune> text, int start)
    {
        List<Rune> upper = _marked ??= [];
        upper.Clear();
        upper.AddRange(CollectionsMarshal.AsSpan(text)[start..]);
        CollectionsMarshal.SetCount(text, start);
        foreach (Rune rune in upper)
        {
            BertCharacters.AppendLower(rune, text);
        }
    }
}
