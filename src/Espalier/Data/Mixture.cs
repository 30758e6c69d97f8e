using System.Globalization;

namespace Espalier.Data;

/// <summary>
/// Training text of several inputs in given shares of its bytes. There is as much of it as without weights: an input with
/// less text than its share repeats its documents, one with more leaves some out. Copies are spread evenly over an input's
/// documents, by their lengths, and nothing is random; a share is exact but for half of a document of its input. Held-out
/// documents come once each, whatever their weight.
/// </summary>
internal sealed class Mixture
{
    private readonly Corpus _corpus;

    // For each document, how often it stands in the training text; -1 where it is held out.
    private readonly int[] _copies;

    private Mixture(Corpus corpus, int[] copies, string inWords) => (_corpus, _copies, InWords) = (corpus, copies, inWords);

    /// <summary>The shares that came out, in words.</summary>
    public string InWords { get; }

    /// <summary>Decides how often each document comes; reads the corpus once.</summary>
    /// <exception cref="UserErrorException">A weight is not positive, or an input has no training text.</exception>
    public static Mixture Of(Corpus corpus, DocumentSplit split, CancellationToken cancellation)
    {
        RequirePositive(corpus.Weighted);
        int[] inputOfFile = [.. corpus.Weighted.SelectMany((input, i) => Enumerable.Repeat(i, input.Files))];
        List<(int Input, long Bytes, bool HeldOut)> documents = [];
        foreach ((Document document, bool heldOut) in split.Assign(corpus.Files.SelectMany((file, i) => Numbered(corpus, file, i))))
        {
            cancellation.ThrowIfCancellationRequested();
            int input = inputOfFile[document.BytesRead];
            if (document.Continues)
            {
                documents[^1] = documents[^1] with { Bytes = documents[^1].Bytes + document.Text.Length };
            }
            else
            {
                documents.Add((input, document.Text.Length, heldOut));
            }
        }

        var bytes = new long[corpus.Weighted.Count];
        foreach ((int input, long length, _) in documents.Where(document => !document.HeldOut))
        {
            bytes[input] += length;
        }

        if (Array.IndexOf(bytes, 0) is int empty and >= 0)
        {
            throw new UserErrorException(
                $"{corpus.Weighted[empty].Path} has a weight, and no text to train on.", "Leave it out, or hold out less of it.");
        }

        double perWeight = bytes.Sum() / corpus.Weighted.Sum(input => input.Weight);
        double[] times = [.. corpus.Weighted.Select((input, i) => input.Weight * perWeight / bytes[i])];
        int[] copies = Copies(documents, times, out double[] written);
        double all = written.Sum();
        return new Mixture(corpus, copies, "training text: " + string.Join(", ", corpus.Weighted.Select((input, i) => string.Create(
            CultureInfo.InvariantCulture, $"{100 * written[i] / all:F2} % {input.Path}, each text {written[i] / bytes[i]:G3} times"))));
    }

    /// <summary>All documents as often as they come, and whether each is held out.</summary>
    public IEnumerable<(Document Document, bool HeldOut)> Documents(Tokenizer tokenizer)
    {
        int first = 0;
        long readBefore = 0;
        foreach (CorpusFile file in _corpus.Files)
        {
            int index = first, most = 1;
            for (int copy = 0; copy < most; copy++)
            {
                index = first - 1;
                foreach (Document document in _corpus.DocumentsOf(file, readBefore, whole: !tokenizer.EncodesPieces))
                {
                    index += document.Continues ? 0 : 1;
                    most = Math.Max(most, _copies[index]);
                    if (_copies[index] > copy || (_copies[index] < 0 && copy == 0))
                    {
                        yield return (document, _copies[index] < 0);
                    }
                }

                index++;
            }

            first = index;
            readBefore += file.Length;
        }
    }

    /// <summary>
    /// Each document comes as often as brings its input nearest to its share of what was read of it so far.
    /// </summary>
    private static int[] Copies(List<(int Input, long Bytes, bool HeldOut)> documents, double[] times, out double[] written)
    {
        var copies = new int[documents.Count];
        var due = new double[times.Length];
        written = new double[times.Length];
        for (int i = 0; i < copies.Length; i++)
        {
            (int input, long length, bool heldOut) = documents[i];
            if (heldOut)
            {
                copies[i] = -1;
                continue;
            }

            due[input] += times[input] * length;
            copies[i] = (int)Math.Max(0, Math.Floor((due[input] - written[input]) / length + 0.5));
            written[input] += (double)copies[i] * length;
        }

        return copies;
    }

    /// <summary>The documents of a file, which say in the place of their progress which file that is.</summary>
    private static IEnumerable<Document> Numbered(Corpus corpus, CorpusFile file, int number) =>
        corpus.DocumentsOf(file, readBefore: 0, whole: false).Select(document => document with { BytesRead = number });

    private static void RequirePositive(IReadOnlyList<WeightedInput> inputs)
    {
        foreach (WeightedInput input in inputs)
        {
            if (!(input.Weight > 0 && double.IsFinite(input.Weight)))
            {
                throw new UserErrorException(string.Create(
                    CultureInfo.InvariantCulture, $"The weight of {input.Path} is {input.Weight}, and must be above 0."));
            }
        }
    }
}
