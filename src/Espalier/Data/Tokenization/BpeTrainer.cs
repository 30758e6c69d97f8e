namespace Espalier.Data;

/// <summary>
/// Learns the merges of a byte-level BPE (Sennrich et al. 2016, on GPT-2's words and bytes): again and again the most
/// frequent pair of neighbouring tokens becomes one token; of equally frequent pairs the one with the smallest ids, as in
/// Hugging Face's trainer. Ids are GPT-2's: the 256 bytes in its order, the merges, then <c>&lt;|endoftext|&gt;</c>.
/// The result depends on nothing but the text.
/// </summary>
public static class BpeTrainer
{
    /// <summary>The smallest vocabulary: all bytes and <c>&lt;|endoftext|&gt;</c>.</summary>
    public const int SmallestVocabulary = 257;

    /// <summary>How often a pair must occur to become a token, unless said otherwise.</summary>
    public const int UsualMinFrequency = 1;

    /// <summary>Trains a tokenizer.</summary>
    /// <param name="documents">The text; read once, front to back.</param>
    /// <param name="vocabularySize">
    /// The number of tokens, <c>&lt;|endoftext|&gt;</c> included; with a <paramref name="minFrequency"/> above 1 there are
    /// fewer when the text has no more frequent pairs.
    /// </param>
    /// <param name="minFrequency">How often a pair must occur to become a token; at least 1.</param>
    /// <param name="progress">Told now and then how far the work has come; called from one thread.</param>
    /// <exception cref="UserErrorException">The text supports no vocabulary of that size.</exception>
    public static ByteLevelBpe Train(
        IEnumerable<Document> documents,
        int vocabularySize,
        int minFrequency = UsualMinFrequency,
        Action<DataProgress>? progress = null)
    {
        MergeLearner.RequireFrequency(minFrequency);
        if (vocabularySize < SmallestVocabulary)
        {
            throw new UserErrorException(
                $"A byte-level vocabulary of {vocabularySize} tokens is too small.",
                $"It needs at least {SmallestVocabulary}: all 256 bytes and {Tokenizer.EndOfTextToken}.");
        }

        int target = vocabularySize - 1;
        var ids = new int[256];
        for (int id = 0; id < 256; id++)
        {
            ids[ByteAlphabet.InGpt2Order[id]] = id;
        }

        var learner = new MergeLearner(
            ByteAlphabet.InGpt2Order.Select(b => ByteAlphabet.ToToken([b])),
            from word in WordCounts.Of(documents, Gpt2Splitter.NextWord, progress)
            select (Array.ConvertAll(word.Key, b => ids[b]), word.Value),
            (left, right) => left + right);
        learner.Learn(target, minFrequency, progress);
        return learner.Tokens.Count == target || minFrequency > 1
            ? ByteLevelBpe.Create(learner.Tokens, learner.Merges, splitsWords: true)
            : throw new UserErrorException(
                $"The text supports a vocabulary of {learner.Tokens.Count + 1} tokens at most, not of {vocabularySize}.",
                "Ask for a smaller vocabulary, or give more text.");
    }
}
