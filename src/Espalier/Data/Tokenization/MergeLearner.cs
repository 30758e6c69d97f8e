using System.Runtime.InteropServices;

namespace Espalier.Data;

/// <summary>
/// Makes tokens of words: again and again the most frequent pair of neighbouring tokens becomes one token; of equally
/// frequent pairs the one with the smallest ids (Sennrich et al. 2016, section 3.2).
/// </summary>
internal sealed class MergeLearner
{
    private readonly List<string> _tokens;
    private readonly Dictionary<string, int> _ids = [];
    private readonly List<(int Left, int Right, int Merged)> _merges = [];
    private readonly Func<string, string, string> _join;

    // The tokens of word w are the first _lengths[w] of _words[w]; it occurs _counts[w] times.
    private readonly int[][] _words;
    private readonly int[] _lengths;
    private readonly long[] _counts;

    // For every pair how often it occurs, and the words in which it did when it was last looked at.
    private readonly Dictionary<(int Left, int Right), (long Count, List<int> Words)> _pairs = [];
    private readonly PriorityQueue<(int Left, int Right), (long Count, int Left, int Right)> _queue =
        new(Comparer<(long Count, int Left, int Right)>.Create((a, b) =>
            a.Count != b.Count ? b.Count.CompareTo(a.Count) : (a.Left, a.Right).CompareTo((b.Left, b.Right))));

    /// <param name="tokens">The tokens to begin with, in the order of their ids.</param>
    /// <param name="words">The words as ids of these tokens, and how often each occurs.</param>
    /// <param name="join">The token that two neighbours become.</param>
    public MergeLearner(
        IEnumerable<string> tokens, IEnumerable<(int[] Tokens, long Count)> words, Func<string, string, string> join)
    {
        _tokens = [.. tokens];
        _join = join;
        for (int id = 0; id < _tokens.Count; id++)
        {
            _ids.Add(_tokens[id], id);
        }

        (int[] Tokens, long Count)[] all = [.. words];
        _words = Array.ConvertAll(all, word => word.Tokens);
        _lengths = Array.ConvertAll(_words, word => word.Length);
        _counts = Array.ConvertAll(all, word => word.Count);
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

    /// <summary>Refuses what <see cref="Learn"/> cannot do, before the words are counted.</summary>
    public static void RequireFrequency(int minFrequency)
    {
        if (minFrequency < 1)
        {
            throw new UserErrorException($"A pair cannot be asked to occur {minFrequency} times: the least is 1.");
        }
    }

    /// <summary>All tokens, in the order of their ids.</summary>
    public List<string> Tokens => _tokens;

    /// <summary>What was merged, in this order.</summary>
    public List<(int Left, int Right, int Merged)> Merges => _merges;

    /// <summary>Merges until there are enough tokens, or no pair is frequent enough.</summary>
    /// <param name="target">The number of tokens wanted.</param>
    /// <param name="minFrequency">How often a pair must occur to be merged; at least 1.</param>
    /// <param name="progress">Told now and then how far the work has come.</param>
    public void Learn(int target, int minFrequency, Action<DataProgress>? progress)
    {
        int first = _tokens.Count;
        while (_tokens.Count < target && _queue.TryDequeue(out (int Left, int Right) pair, out var queued))
        {
            // Counts in the queue may be out of date; such a pair goes back to where it belongs now.
            if (!_pairs.TryGetValue(pair, out var current) || current.Count != queued.Count)
            {
                if (current.Count > 0)
                {
                    _queue.Enqueue(pair, (current.Count, pair.Left, pair.Right));
                }

                continue;
            }

            if (current.Count < minFrequency)
            {
                break;
            }

            Merge(pair, current.Words);
            if (_tokens.Count % 256 == 0)
            {
                progress?.Invoke(new DataProgress("learning merges", _tokens.Count - first, target - first));
            }
        }

        progress?.Invoke(new DataProgress("learning merges", target - first, target - first));
    }

    private void Merge((int Left, int Right) pair, List<int> words)
    {
        // Two ways of merging may lead to the same string, which is then one token.
        string token = _join(_tokens[pair.Left], _tokens[pair.Right]);
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
