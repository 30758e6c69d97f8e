using System.CommandLine;
using Espalier.Data;

namespace Espalier.Cli;

/// <summary>The options that say how a vocabulary is trained.</summary>
internal sealed class VocabularyOptions
{
    /// <summary>Of a WordPiece.</summary>
    public Option<bool> Cased { get; } = new("--cased")
    {
        Description = "With --wordpiece: keep upper case and accents, as BERT cased does.",
    };

    /// <summary>Of any vocabulary.</summary>
    public Option<int?> MinFrequency { get; } = new("--min-frequency")
    {
        Description = "How often two neighbours must occur to become a token of the vocabulary that is trained. " +
            $"Default: {BpeTrainer.UsualMinFrequency}, and {WordPieceTrainer.UsualMinFrequency} of a WordPiece.",
        HelpName = "N",
    };

    /// <summary>What a command line asks for.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="size">The tokens of a vocabulary to train; null where none is.</param>
    /// <param name="wordPiece">Whether that is a WordPiece.</param>
    /// <exception cref="UserErrorException">An option has nothing to act on.</exception>
    public VocabularyTraining? Of(ParseResult parsed, int? size, bool wordPiece)
    {
        if (parsed.GetValue(Cased) && !wordPiece)
        {
            throw new UserErrorException("--cased says how to train a WordPiece, and goes with --wordpiece only.");
        }

        int? minFrequency = parsed.GetValue(MinFrequency);
        if (size is not int trained)
        {
            return minFrequency is null ? null : throw new UserErrorException(
                "--min-frequency says how to train a vocabulary, and goes with --bpe and --wordpiece only.");
        }

        return new VocabularyTraining(trained)
        {
            WordPiece = wordPiece,
            Cased = parsed.GetValue(Cased),
            MinFrequency = minFrequency,
        };
    }
}
