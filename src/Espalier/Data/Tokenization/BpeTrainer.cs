using System.Collections.Concurrent;
using System.Runtime.InteropServices;

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

    private const int BatchBytes = 1 << 20;

    /// <summary>Trains a tokenizer.</summary>
    /// <param name="documents">The text; read once, front to back.</param>
    /// <param name="vocabularySize">The number of tokens, <c>&lt;|endoftext|&gt;</c> included.</param>
    /// <param name="progress">Told now and then how far the work has come; called from one thread.</param>
    /// <exception cref="UserErrorException">The text supports no vocabulary of that size.</exception>
    public static ByteLevelBpe Train(
        IEnumerable<Document> documents, int vocabularySize, Action<DataProgress>? progress = null)
    {
        if (vocabularySize < SmallestVocabulary)
        {
            throw new UserErrorException(
                $"A byte-level vocabulary of {vocabularySize} tokens is too small.",
                $"It needs at least {SmallestVocabulary}: all 256 bytes and {Tokenizer.EndOfTextToken}.");
        }

        return new Learner(CountWords(documents, progress)).Learn(vocabularySize, progress);
    }

    private static Dictionary<byte[], long> CountWords(IEnumerable<Document> documents, Action<DataProgress>? progress)
    {
        var counts = new ConcurrentBag<Dictionary<byte[], long>>();
        using var batches = new BlockingCollection<List<ReadOnlyMemory<byte>>>(2 * Environment.ProcessorCount);
        Task[] workers = [.. Enumerable.Range(0, Environment.ProcessorCount).Select(_ => Task.Factory.StartNew(
            () =>
            {
                var own = new Dictionary<byte[], long>(ByteStringComparer.Instance);
                foreach (List<ReadOnlyMemory<byte>> batch in batches.GetConsumingEnumerable())
                {
                    batch.ForEach(text => CountWordsOf(text.Span, own));
                }

                counts.Add(own);
            },
            TaskCreationOptions.LongRunning))];
        try
        {
            var batch = new List<ReadOnlyMemory<byte>>();
            int bytes = 0;
            foreach (Document document in documents)
            {
                batch.Add(document.Text);
                bytes += document.Text.Length;
                if (bytes >= BatchBytes)
                {
                    batches.Add(batch);
                    (batch, bytes) = ([], 0);
                    progress?.Invoke(new DataProgress("counting words", document.BytesRead, 0));
                }
            }

            batches.Add(batch);
        }
        finally
        {
            batches.CompleteAdding();
            Task.WaitAll(workers);
        }

        Dictionary<byte[], long> total = new(ByteStringComparer.Instance);
        foreach ((byte[] word, long count) in counts.SelectMany(own => own))
        {
            CollectionsMarshal.GetValueRefOrAddDefault(total, word, out _) += count;
        }

        return total;
    }

    private static void CountWordsOf(ReadOnlySpan<byte> text, Dictionary<byte[], long> counts)
    {
        var lookup = counts.GetAlternateLookup<ReadOnlySpan<byte>>();
        while (!text.IsEmpty)
        {
            int length = Gpt2Splitter.NextWord(text);
            CollectionsMarshal.GetValueRefOrAddDefault(lookup, text[..length], out _)++;
            text = text[length..];
        }
    }

    /// <summary>The words as lists of tokens, and the pairs of neighbours in them.</summary>
    private sealed class Learner
    {
        private readonly List<string> _tokens = [.. ByteAlphabet.InGpt2Order.Select(b => ByteAlphabet.ToToken([b]))];
        private readonly Dictionary<string, int> _ids = [];
        private readonly List<(int Left, int Right, int Merged)> _merges = [];

        // The tokens of word w are the first _lengths[w] of _words[w]; it occurs _counts[w] times.
        private readonly int[][] _words;
        private readonly int[] _lengths;
        private readonly long[] _counts;

        // For every pair how often it occurs, and the words in which it did when it was last looked at.
        private readonly Dictionary<(int Left, int Right), (long Count, List<int> Words)> _pairs = [];
        private readonly PriorityQueue<(int Left, int Right), (long Count, int Left, int Right)> _queue =
            new(Comparer<(long Count, int Left, int Right)>.Create((a, b) =>
                a.Count != b.Count ? b.Count.CompareTo(a.Count) : (a.Left, a.Right).CompareTo((b.Left, b.Right))));

        public Learner(Dictionary<byte[], long> words)
        {
            var byteIds = new int[256];
            for (int id = 0; id < 256; id++)
            {
                byteIds[ByteAlphabet.InGpt2Order[id]] = id;
                _ids[_tokens[id]] = id;
            }

            _words = [.. words.Keys.Select(word => Array.ConvertAll(word, b => byteIds[b]))];
            _lengths = [.. _words.Select(word => word.Length)];
            _counts = [.. words.Values];
            for (int w = 0; w < _words.Length; w++)
            {
                for (int i = 0; i + 1 < _words[w].Length; i++)
                {
                    Change((_words[w][i], _words[w][i + 1]), _counts[w], w);
                }
            }

            foreach (((int Left, int Right) pair, (long count, _)) in _pairs)
            {
                _queue.Enqueue(pair, (count, pair.Left, pair.Right));
            }
        }

        public ByteLevelBpe Learn(int vocabularySize, Action<DataProgress>? progress)
        {
            int target = vocabularySize - 1, first = _tokens.Count;
            while (_tokens.Count < target)
            {
                if (!_queue.TryDequeue(out (int Left, int Right) pair, out var queued))
                {
                    throw new UserErrorException(
                        $"The text supports a vocabulary of {_tokens.Count + 1} tokens at most, not of {vocabularySize}.",
                        "Ask for a smaller vocabulary, or give more text.");
                }

                // Counts in the queue may be out of date; such a pair goes back to where it belongs now.
                if (!_pairs.TryGetValue(pair, out var current) || current.Count != queued.Count)
                {
                    if (current.Count > 0)
                    {
                        _queue.Enqueue(pair, (current.Count, pair.Left, pair.Right));
                    }

                    continue;
                }

                Merge(pair, current.Words);
                if (_tokens.Count % 256 == 0)
                {
                    progress?.Invoke(new DataProgress("learning merges", _tokens.Count - first, target - first));
                }
            }

            return ByteLevelBpe.Create(_tokens, _merges, splitsWords: true);
        }

        private void Merge((int Left, int Right) pair, List<int> words)
        {
            // Two ways of merging may lead to the same string, which is then one token.
            string token = _tokens[pair.Left] + _tokens[pair.Right];
            if (!_ids.TryGetValue(token, out int merged))
            {
                merged = _tokens.Count;
                _tokens.Add(token);
                _ids[token] = merged;
            }

            _merges.Add((pair.Left, pair.Right, merged));
            var born = new HashSet<(int Left, int Right)>();
            foreach (int w in words)
            {
                MergeInWord(w, pair, merged, born);
            }

            _pairs.Remove(pair);
            foreach ((int Left, int Right) other in born)
            {
                if (_pairs.TryGetValue(other, out var state) && state.Count > 0)
                {
                    _queue.Enqueue(other, (state.Count, other.Left, other.Right));
                }
            }
        }

        private void MergeInWord(int w, (int Left, int Right) pair, int merged, HashSet<(int Left, int Right)> born)
        {
            int[] word = _words[w];
            long count = _counts[w];
            int length = _lengths[w], kept = 0;
            for (int i = 0; i < length; i++, kept++)
            {
                if (i + 1 == length || word[i] != pair.Left || word[i + 1] != pair.Right)
                {
                    word[kept] = word[i];
                    continue;
                }

                if (kept > 0)
                {
                    Change((word[kept - 1], pair.Left), -count, w);
                    Change((word[kept - 1], merged), count, w);
                    born.Add((word[kept - 1], merged));
                }

                i++;
                word[kept] = merged;
                if (i + 1 < length)
                {
                    Change((pair.Right, word[i + 1]), -count, w);
                    Change((merged, word[i + 1]), count, w);
                    born.Add((merged, word[i + 1]));
                }
            }

            _lengths[w] = kept;
        }

        private void Change((int Left, int Right) pair, long count, int word)
        {
            ref (long Count, List<int> Words) state = ref CollectionsMarshal.GetValueRefOrAddDefault(_pairs, pair, out _);
            state.Words ??= [];
            state.Count += count;
            if (count > 0 && (state.Words.Count == 0 || state.Words[^1] != word))
            {
                state.Words.Add(word);
            }
        }
    }
}
