namespace Espalier.Data;

/// <summary>A vocabulary to train: a byte-level BPE, unless it is to be a WordPiece or one of characters.</summary>
/// <param name="Size">The number of tokens; of characters there are as many as there are.</param>
public sealed record VocabularyTraining(int Size)
{
    /// <summary>All characters of the text, each a token: <c>[UNK]</c>, they by code point, <c>&lt;|endoftext|&gt;</c>.</summary>
    public static VocabularyTraining OfCharacters { get; } = new(0) { Characters = true };

    /// <summary>Whether it is one of characters.</summary>
    private bool Characters { get; init; }

    /// <summary>Whether it is a WordPiece, as BERT has it.</summary>
    public bool WordPiece { get; init; }

    /// <summary>Whether that WordPiece keeps upper case and accents (BERT cased).</summary>
    public bool Cased { get; init; }

    /// <summary>
    /// How often two neighbours must occur to become a token; null: as usual, which is once, but
    /// <see cref="WordPieceTrainer.UsualMinFrequency"/> times in a WordPiece.
    /// </summary>
    public int? MinFrequency { get; init; }

    private int UsualMinFrequency =>
        WordPiece ? WordPieceTrainer.UsualMinFrequency : BpeTrainer.UsualMinFrequency;

    /// <summary>Trains the tokenizer.</summary>
    /// <param name="documents">The text; read once, front to back.</param>
    /// <param name="progress">Told now and then how far the work has come; called from one thread.</param>
    /// <exception cref="UserErrorException">The text supports no such vocabulary.</exception>
    public Tokenizer Train(IEnumerable<Document> documents, Action<DataProgress>? progress = null)
    {
        int minFrequency = MinFrequency ?? UsualMinFrequency;
        return Characters ? CharacterTokenizer.Of(documents, progress)
            : WordPiece
            ? WordPieceTrainer.Train(documents, Size, lowercase: !Cased, minFrequency, progress)
            : BpeTrainer.Train(documents, Size, minFrequency, progress);
    }

    /// <summary>The same words for the same vocabulary of the same text. They stand in the hashes of prepared data.</summary>
    internal string InWords()
    {
        string words = Characters ? "characters" : WordPiece ? $"wordpiece {Size} {(Cased ? "cased" : "uncased")}" : $"bpe {Size}";
        return MinFrequency is int minFrequency && minFrequency != UsualMinFrequency
            ? $"{words} min-frequency {minFrequency}"
            : words;
    }
}
