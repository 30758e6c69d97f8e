using System.Globalization;
using System.Text;

namespace Espalier.Data;

/// <summary>
/// Unicode's normalization form D: letters apart from their accents. .NET leaves this to a library of the system's, which
/// may be missing or of any version; here it is that of Hugging Face's tokenizers (Unicode 9).
/// </summary>
internal static class CanonicalDecomposition
{
    private const int FirstSyllable = 0xAC00, LastSyllable = 0xD7A3, Vowels = 21, Finals = 28;

    private static readonly Dictionary<int, Rune[]> Parts = [];
    private static readonly Dictionary<int, byte> Classes = [];
    private static readonly HashSet<int> Uncomposed = [];

    // eng/canonical-decompositions writes the table and says how to read it.
    static CanonicalDecomposition()
    {
        using Stream table = typeof(CanonicalDecomposition).Assembly.GetManifestResourceStream("canonical-decompositions.txt")!;
        using var reader = new StreamReader(table, Encoding.ASCII);
        while (reader.ReadLine() is string line)
        {
            string[] words = line.Split(' ', '-');
            if (words[^1][0] is not ('=' or '!'))
            {
                Parts.Add(Hex(words[0]), [.. words[1..].Select(word => new Rune(Hex(word)))]);
                continue;
            }

            if (words[^1] == "!")
            {
                Uncomposed.UnionWith(Enumerable.Range(Hex(words[0]), Hex(words[1]) - Hex(words[0]) + 1));
                continue;
            }

            byte combining = byte.Parse(words[^1].AsSpan(1), CultureInfo.InvariantCulture);
            for (int c = Hex(words[0]); c <= Hex(words[1]); c++)
            {
                Classes.Add(c, combining);
            }
        }

        static int Hex(string word) => int.Parse(word, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    }

    /// <summary>Appends the decomposition of one character, without ordering its marks among their neighbours.</summary>
    public static void Append(Rune rune, List<Rune> output)
    {
        if (rune.Value is >= FirstSyllable and <= LastSyllable)
        {
            int syllable = rune.Value - FirstSyllable;
            output.Add(new Rune(0x1100 + (syllable / (Vowels * Finals))));
            output.Add(new Rune(0x1161 + (syllable / Finals % Vowels)));
            if (syllable % Finals > 0)
            {
                output.Add(new Rune(0x11A7 + (syllable % Finals)));
            }
        }
        else if (rune.Value >= 0xC0 && Parts.TryGetValue(rune.Value, out Rune[]? parts))
        {
            output.AddRange(parts);
        }
        else
        {
            output.Add(rune);
        }
    }

    /// <summary>Brings the marks that follow one letter into the order of their combining classes.</summary>
    public static void Order(Span<Rune> text)
    {
        for (int end = 0; end < text.Length; end++)
        {
            int start = end;
            bool ordered = true;
            for (int last = 0; end < text.Length && ClassOf(text[end]) is int combining and > 0; end++)
            {
                ordered &= last <= combining;
                last = combining;
            }

            if (!ordered)
            {
                Span<Rune> marks = text[start..end];
                marks.ToArray().OrderBy(ClassOf).ToArray().CopyTo(marks);
            }
        }
    }

    /// <summary>The combining class of a character.</summary>
    public static int ClassOf(Rune rune) => rune.Value < 0x300 ? 0 : Classes.GetValueOrDefault(rune.Value);

    /// <summary>Which two characters are together which one: what decomposes into one with a decomposition and one more.</summary>
    public static Dictionary<(Rune First, Rune Second), Rune> Pairs()
    {
        var composed = Parts.Where(entry => !Uncomposed.Contains(entry.Key))
            .ToDictionary(entry => string.Concat(entry.Value), entry => new Rune(entry.Key));
        return composed.Values.ToDictionary(rune =>
        {
            Rune[] parts = Parts[rune.Value];
            return (parts.Length == 2 ? parts[0] : composed[string.Concat(parts[..^1])], parts[^1]);
        });
    }
}
