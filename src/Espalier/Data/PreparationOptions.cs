namespace Espalier.Data;

/// <summary>How a corpus becomes a dataset.</summary>
public sealed record PreparationOptions
{
    /// <summary>The tokenizer; or null to train one: exactly one of this and <see cref="Training"/> is given.</summary>
    public Tokenizer? Tokenizer { get; init; }

    /// <summary>The vocabulary to train on the training documents; held-out text is not looked at.</summary>
    public VocabularyTraining? Training { get; init; }

    /// <summary>
    /// Hold out the files that match one of these: <c>*</c> and <c>?</c> as in a shell, on the file's name, or on its path
    /// in the corpus if the pattern has a <c>/</c>. When empty, <see cref="HeldOutFraction"/> decides.
    /// </summary>
    public IReadOnlyList<string> HeldOutFiles { get; init; } = [];

    /// <summary>
    /// The share of documents to hold out, drawn at random: at least one, and never all. Of a corpus that is a single
    /// document its end is held out.
    /// </summary>
    public double HeldOutFraction { get; init; } = 0.05;

    /// <summary>The seed of the draw.</summary>
    public ulong Seed { get; init; } = 42;
}
