using System.Globalization;
using System.IO.Enumeration;

namespace Espalier.Data;

/// <summary>
/// Which documents of a corpus are held out. A function of the texts and the options, decided before any other work;
/// there is text on both sides, always.
/// </summary>
internal abstract class DocumentSplit
{
    /// <summary>The split, in words.</summary>
    public abstract string InWords { get; }

    /// <summary>Decides which documents are held out.</summary>
    /// <param name="corpus">The text; read as far as the decision takes.</param>
    /// <param name="options">How to hold out.</param>
    /// <param name="cancellation">Stops the reading.</param>
    /// <exception cref="UserErrorException">One side would have no text.</exception>
    public static DocumentSplit Of(Corpus corpus, PreparationOptions options, CancellationToken cancellation) =>
        options.HeldOutFiles.Count > 0 ? ByFileName.Of(corpus, options.HeldOutFiles) : Drawn(corpus, options, cancellation);

    /// <summary>The documents, whose pieces stay together, and whether each is held out.</summary>
    /// <param name="documents">All of the corpus that the split is of; in pieces or not.</param>
    public abstract IEnumerable<(Document Document, bool HeldOut)> Assign(IEnumerable<Document> documents);

    /// <summary>Draws from the front until there are documents on both sides; where there never are, one is put there.</summary>
    private static DocumentSplit Drawn(Corpus corpus, PreparationOptions options, CancellationToken cancellation)
    {
        long count = 0, lowest = 0, highest = 0, length = 0;
        double least = 1, most = 0;
        foreach (Document piece in corpus.Documents())
        {
            cancellation.ThrowIfCancellationRequested();
            length += piece.Text.Length;
            if (piece.Continues)
            {
                continue;
            }

            double draw = ByDraw.DrawOf(options.Seed, count);
            (least, lowest) = draw < least ? (draw, count) : (least, lowest);
            (most, highest) = draw > most ? (draw, count) : (most, highest);
            count++;
            if (least < options.HeldOutFraction && most >= options.HeldOutFraction)
            {
                return new ByDraw(options, exempt: null);
            }
        }

        return count == 1 ? AtTheEnd.Of(corpus, options, length, cancellation)
            : least >= options.HeldOutFraction ? new ByDraw(options, exempt: lowest)
            : new ByDraw(options, exempt: highest);
    }

    /// <summary>Files are named.</summary>
    private sealed class ByFileName(IReadOnlyList<string> patterns) : DocumentSplit
    {
        public override string InWords => "held out: files named " + string.Join(", ", patterns);

        public static ByFileName Of(Corpus corpus, IReadOnlyList<string> patterns)
        {
            var split = new ByFileName(patterns);
            ILookup<bool, CorpusFile> files = corpus.Files.ToLookup(file => split.IsHeldOut(file.Name));
            string? problem =
                !files[true].Any() ? string.Create(CultureInfo.InvariantCulture, $"None of the {corpus.Files.Count} files is held out.")
                : !files[true].Any(corpus.HasText) ? "The files held out hold no text."
                : !files[false].Any(corpus.HasText) ? "All documents are held out, and none is left to train on."
                : null;
            return problem is null
                ? split
                : throw new UserErrorException(
                    problem, $"Check the pattern of file names to hold out: {string.Join(", ", patterns)}.");
        }

        public override IEnumerable<(Document Document, bool HeldOut)> Assign(IEnumerable<Document> documents) =>
            documents.Select(document => (document, IsHeldOut(document.FileName)));

        private bool IsHeldOut(string file) => patterns.Any(pattern => FileSystemName.MatchesSimpleExpression(
            pattern, pattern.Contains('/') ? file : Path.GetFileName(file), ignoreCase: false));
    }

    /// <summary>Documents are drawn; one that is exempt goes to the side that would have none.</summary>
    private sealed class ByDraw(PreparationOptions options, long? exempt) : DocumentSplit
    {
        public override string InWords
        {
            get
            {
                string share = string.Create(CultureInfo.InvariantCulture, $"{100 * options.HeldOutFraction} %");
                string seed = options.Seed.ToString(CultureInfo.InvariantCulture);
                return exempt is not long document
                    ? $"held out: {share} of the documents, drawn with seed {seed}; of a single one, its end"
                    : IsBelow(document)
                        ? $"held out: all documents but one, drawn with seed {seed}; {share} of so few would leave none to train on"
                        : $"held out: one document, drawn with seed {seed}; {share} of so few would be none";
            }
        }

        public static double DrawOf(ulong seed, long index) =>
            new CounterRandom(seed, RandomPurpose.DocumentSplit, index).NextDouble();

        public override IEnumerable<(Document Document, bool HeldOut)> Assign(IEnumerable<Document> documents)
        {
            long index = -1;
            bool heldOut = false;
            foreach (Document document in documents)
            {
                if (!document.Continues)
                {
                    index++;
                    heldOut = IsBelow(index) != (index == exempt);
                }

                yield return (document, heldOut);
            }
        }

        private bool IsBelow(long index) => DrawOf(options.Seed, index) < options.HeldOutFraction;
    }

    /// <summary>The only document is cut, and its end held out.</summary>
    private sealed class AtTheEnd(PreparationOptions options, long cut) : DocumentSplit
    {
        public override string InWords => new ByDraw(options, exempt: null).InWords;

        public static AtTheEnd Of(Corpus corpus, PreparationOptions options, long length, CancellationToken cancellation)
        {
            long cut = PlaceToCut(corpus, (long)(length * (1 - options.HeldOutFraction)), length, cancellation);
            return cut < length
                ? new AtTheEnd(options, cut)
                : throw new UserErrorException(
                    $"{corpus.Files[0].Path} is the only text and a single character: there is nothing to hold out.",
                    "Give more text.");
        }

        public override IEnumerable<(Document Document, bool HeldOut)> Assign(IEnumerable<Document> documents)
        {
            long start = 0;
            foreach (Document piece in documents)
            {
                int kept = (int)Math.Clamp(cut - start, 0, piece.Text.Length);
                if (kept > 0)
                {
                    yield return (piece with { Text = piece.Text[..kept] }, false);
                }

                if (kept < piece.Text.Length)
                {
                    yield return (piece with { Text = piece.Text[kept..], Continues = start > cut }, true);
                }

                start += piece.Text.Length;
            }
        }

        /// <summary>
        /// The first place from a wanted one on where a line begins, else a word; else where the character there does. The
        /// length, where there is but one character.
        /// </summary>
        private static long PlaceToCut(Corpus corpus, long cut, long length, CancellationToken cancellation)
        {
            // The share may be so small or so large that rounding would leave one side nothing.
            long inside = Math.Clamp(cut, 1, Math.Max(1, length - 1)), character = length, start = 0, afterSpace = 0;
            foreach (Document piece in corpus.Documents())
            {
                cancellation.ThrowIfCancellationRequested();
                ReadOnlySpan<byte> text = piece.Text.Span;
                int from = (int)Math.Clamp(cut - start, 0, text.Length);
                if (inside >= start && inside < start + text.Length)
                {
                    character = start + CharacterAt(text, (int)(inside - start));
                }

                if (After((byte)'\n') is long afterLine and > 0)
                {
                    return afterLine;
                }

                afterSpace = afterSpace > 0 ? afterSpace : After((byte)' ');
                start += text.Length;

                long After(byte separator)
                {
                    int found = piece.Text.Span[from..].IndexOf(separator);
                    return found >= 0 && start + from + found + 1 < length ? start + from + found + 1 : 0;
                }
            }

            return afterSpace > 0 ? afterSpace : character;
        }

        /// <summary>Where the character begins that a byte belongs to; where it ends, if it is the text's first.</summary>
        private static int CharacterAt(ReadOnlySpan<byte> text, int from)
        {
            int at = from;
            while (at > 0 && IsInside(text[at]))
            {
                at--;
            }

            if (at == 0 && from > 0)
            {
                for (at = from; at < text.Length && IsInside(text[at]); at++)
                {
                }
            }

            return at;

            static bool IsInside(byte part) => (part & 0xC0) == 0x80;
        }
    }
}
