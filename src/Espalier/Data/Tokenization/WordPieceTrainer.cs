using System.Runtime.InteropServices;
using System.Text;

namespace Espalier.Data;

/// <summary>
/// Learns the vocabulary of a <see cref="WordPiece"/> as Hugging Face's trainer does, by merging the most frequent pair of
/// neighbours like <see cref="BpeTrainer"/> (Schuster and Nakajima 2012 would take the likeliest). Ids are the special
/// tokens', the characters' by code point, those of the characters that continue words, then the merges'. The result
/// depends on nothing but the text.
/// </summary>
public static class WordPieceTrainer
{
    /// <summary>How often a pair must occur to become a token, unless said otherwise.</summary>
    public const int UsualMinFrequency = 2;

    /// <summary>The most characters; words lose the rarer ones, which are later unknown.</summary>
    private const int MostCharacters = 1000;

    private const string Prefix = "##";

    /// <summary>Trains a tokenizer.</summary>
    /// <param name="documents">The text; read once, front to back.</param>
    /// <param name="vocabularySize">
    /// The number of tokens, special ones included; there are fewer when the text has no more frequent pairs.
    /// </param>
    /// <param name="lowercase">Whether text becomes lower case and loses its accents (BERT uncased), or not (cased).</param>
    /// <param name="minFrequency">How often a pair must occur to become a token; at least 1.</param>
    /// <param name="progress">Told now and then how far the work has come; called from one thread.</param>
    /// <exception cref="UserErrorException">The characters of the text do not fit into that vocabulary.</exception>
    public static WordPiece Train(
        IEnumerable<Document> documents,
        int vocabularySize,
        bool lowercase = true,
        int minFrequency = UsualMinFrequency,
        Action<DataProgress>? progress = null)
    {
        MergeLearner.RequireFrequency(minFrequency);
        (Rune[] Runes, long Count)[] words = [.. CountWords(documents, lowercase, progress)];
        HashSet<Rune> kept = MostFrequentCharacters(words);
        Rune[] alphabet = [.. kept.Order()];
        Rune[] continuing = [.. words.SelectMany(word => word.Runes.Skip(1)).Where(kept.Contains).Distinct().Order()];
        int first = WordPiece.SpecialTokens.Count, smallest = first + alphabet.Length + continuing.Length;
        if (vocabularySize < smallest)
        {
            throw new UserErrorException(
                $"A WordPiece vocabulary of {vocabularySize} tokens is too small for the characters of the text.",
                $"It needs at least {smallest}: {first} special tokens, {alphabet.Length} characters, and " +
                $"{continuing.Length} of these once more to continue words.");
        }

        Dictionary<Rune, int> beginnings = Ids(alphabet, first), continuations = Ids(continuing, first + alphabet.Length);
        var learner = new MergeLearner(
            [
                .. WordPiece.SpecialTokens,
                .. alphabet.Select(rune => rune.ToString()),
                .. continuing.Select(rune => Prefix + rune),
            ],
            words.Select(word => (TokensOf(word.Runes), word.Count)),
            (left, right) => left + right[Prefix.Length..]);
        learner.Learn(vocabularySize, minFrequency, progress);
        return WordPiece.Create(learner.Tokens, lowercase);

        int[] TokensOf(Rune[] word) =>
            [.. word.Select((rune, i) => (i == 0 ? beginnings : continuations).GetValueOrDefault(rune, -1)).Where(id => id >= 0)];
    }

    private static IEnumerable<(Rune[] Runes, long Count)> CountWords(
        IEnumerable<Document> documents, bool lowercase, Action<DataProgress>? progress)
    {
        // Each different chunk of text need be normalized only once.
        Dictionary<byte[], long> chunks = WordCounts.Of(documents, BertSplitter.NextChunkOrIdeograph, progress);
        var counts = new Dictionary<byte[], long>(ByteStringComparer.Instance);
        var lookup = counts.GetAlternateLookup<ReadOnlySpan<byte>>();
        var splitter = new BertSplitter(BertNormalizer.Usual(lowercase));
        var words = new WordList();
        foreach ((byte[] chunk, long count) in chunks)
        {
            splitter.Split(chunk, words);
            for (int i = 0; i < words.Count; i++)
            {
                CollectionsMarshal.GetValueRefOrAddDefault(lookup, words[i], out _) += count;
            }
        }

        return from word in counts select (Encoding.UTF8.GetString(word.Key).EnumerateRunes().ToArray(), word.Value);
    }

    private static HashSet<Rune> MostFrequentCharacters((Rune[] Runes, long Count)[] words)
    {
        var counts = new Dictionary<Rune, long>();
        foreach ((Rune[] runes, long count) in words)
        {
            foreach (Rune rune in runes)
            {
                CollectionsMarshal.GetValueRefOrAddDefault(counts, rune, out _) += count;
            }
        }

        return [.. counts.OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key).Take(MostCharacters).Select(pair => pair.Key)];
    }

    private static Dictionary<Rune, int> Ids(Rune[] runes, int first) =>
        runes.Select((rune, i) => (rune, i)).ToDictionary(pair => pair.rune, pair => first + pair.i);
}
