using System.Runtime.InteropServices;
using System.Text;

namespace Espalier.Data;

/// <summary>Unicode's normalization form C, letters and their accents in one character where there is one (Unicode 9).</summary>
internal static class CanonicalComposition
{
    private const int Leads = 0x1100, Vowels = 0x1161, Finals = 0x11A7, Syllables = 0xAC00;
    private const int LeadCount = 19, VowelCount = 21, FinalCount = 28;

    private static readonly Dictionary<(Rune, Rune), Rune> Pairs = CanonicalDecomposition.Pairs();

    [ThreadStatic]
    private static List<Rune>? _runes;

    /// <summary>The normalized text; <paramref name="utf8"/> itself where nothing can change.</summary>
    public static ReadOnlySpan<byte> Normalize(ReadOnlySpan<byte> utf8)
    {
        // Below U+0300, whose first byte this is, every character is composed and goes together with none before it.
        if (!utf8.ContainsAnyInRange((byte)0xCC, (byte)0xFF))
        {
            return utf8;
        }

        List<Rune> runes = _runes ??= [];
        runes.Clear();
        for (ReadOnlySpan<byte> rest = utf8; !rest.IsEmpty;)
        {
            Rune.DecodeFromUtf8(rest, out Rune rune, out int width);
            CanonicalDecomposition.Append(rune, runes);
            rest = rest[width..];
        }

        CanonicalDecomposition.Order(CollectionsMarshal.AsSpan(runes));
        CollectionsMarshal.SetCount(runes, Compose(CollectionsMarshal.AsSpan(runes)));
        var composed = new byte[runes.Sum(rune => rune.Utf8SequenceLength)];
        int length = 0;
        foreach (Rune rune in runes)
        {
            length += rune.EncodeToUtf8(composed.AsSpan(length));
        }

        return composed;
    }

    /// <summary>Puts together what belongs together, in place; how many characters that leaves.</summary>
    private static int Compose(Span<Rune> text)
    {
        int count = 0, starter = -1, lastClass = 0;
        foreach (Rune rune in text)
        {
            int combining = CanonicalDecomposition.ClassOf(rune);
            bool reachesStarter = starter >= 0 && (lastClass == 0 || lastClass < combining);
            if (reachesStarter && TryPair(text[starter], rune, out Rune pair))
            {
                text[starter] = pair;
                continue;
            }

            starter = combining == 0 ? count : starter;
            lastClass = combining;
            text[count++] = rune;
        }

        return count;
    }

    private static bool TryPair(Rune first, Rune second, out Rune pair)
    {
        int lead = first.Value - Leads, vowel = second.Value - Vowels;
        if (lead is >= 0 and < LeadCount && vowel is >= 0 and < VowelCount)
        {
            pair = new Rune(Syllables + (((lead * VowelCount) + vowel) * FinalCount));
            return true;
        }

        int syllable = first.Value - Syllables, final = second.Value - Finals;
        if (syllable is >= 0 and < LeadCount * VowelCount * FinalCount && syllable % FinalCount == 0 && final is > 0 and < FinalCount)
        {
            pair = new Rune(first.Value + final);
            return true;
        }

        return Pairs.TryGetValue((first, second), out pair);
    }
}
