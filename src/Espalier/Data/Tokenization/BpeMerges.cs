using System.Text.Json;

namespace Espalier.Data;

/// <summary>
/// The merges of a byte-pair encoding: which two neighbouring tokens become which one, the lowest rank first and, of
/// equal ranks, the leftmost. Safe to use from several threads.
/// </summary>
/// <param name="merges">(left, right, merged) token ids in order of rank.</param>
internal sealed class BpeMerges(IReadOnlyList<(int Left, int Right, int Merged)> merges)
{
    private readonly Dictionary<long, (int Rank, int Merged)> _byPair = Index(merges);

    [ThreadStatic]
    private static Workspace? _workspace;

    /// <summary>The merges in order of rank.</summary>
    public IReadOnlyList<(int Left, int Right, int Merged)> InOrder => merges;

    /// <summary>Merges the tokens of one word as far as they go and appends what remains to <paramref name="output"/>.</summary>
    public void Merge(ReadOnlySpan<int> word, List<int> output)
    {
        Workspace space = _workspace ??= new Workspace();
        space.Start(word);
        for (int i = 0; i + 1 < word.Length; i++)
        {
            Offer(space, i);
        }

        while (space.Queue.TryDequeue(out int left, out long priority))
        {
            // A neighbour may have merged since the offer: it then no longer has the rank that it was queued with.
            if (!TryFind(space, left, out int rank, out int merged) || rank != (int)(priority >> 32))
            {
                continue;
            }

            space.Ids[left] = merged;
            space.RemoveAfter(left);
            Offer(space, left);
            if (space.Previous[left] >= 0)
            {
                Offer(space, space.Previous[left]);
            }
        }

        for (int i = 0; i >= 0 && i < word.Length; i = space.Next[i])
        {
            output.Add(space.Ids[i]);
        }
    }

    /// <summary>Reads the merges of a file.</summary>
    public static List<(int Left, int Right, int Merged)> Read(TokenizerJson json, Dictionary<string, int> ids)
    {
        if (!json.Model.TryGetProperty("merges", out JsonElement list))
        {
            throw json.Damaged("its \"model\" has no \"merges\"");
        }

        var merges = new List<(int, int, int)>();
        foreach (JsonElement merge in json.Items(list, "merges"))
        {
            // Written "a b" before 2024 and ["a", "b"] since.
            string[] pair = merge.ValueKind switch
            {
                JsonValueKind.String => merge.GetString()!.Split(' '),
                JsonValueKind.Array when merge.EnumerateArray().All(part => part.ValueKind == JsonValueKind.String) =>
                    [.. merge.EnumerateArray().Select(part => part.GetString()!)],
                _ => [],
            };
            if (pair is not [string left, string right])
            {
                throw json.Damaged($"its merge {merges.Count} is not a pair of tokens");
            }

            if (left.Contains(' ') || right.Contains(' '))
            {
                throw json.Unsupported($"the merge \"{left}\" + \"{right}\", which hold spaces");
            }

            merges.Add((IdOf(left), IdOf(right), IdOf(left + right)));
        }

        return merges;

        int IdOf(string token) => ids.TryGetValue(token, out int id)
            ? id
            : throw json.Damaged($"its merge {merges.Count} needs \"{token}\", which is not in the vocabulary");
    }

    private void Offer(Workspace space, int left)
    {
        if (TryFind(space, left, out int rank, out _))
        {
            space.Queue.Enqueue(left, ((long)rank << 32) | (uint)left);
        }
    }

    private bool TryFind(Workspace space, int left, out int rank, out int merged)
    {
        int right = space.Next[left];
        if (space.Ids[left] < 0 || right < 0 || !_byPair.TryGetValue(Key(space.Ids[left], space.Ids[right]), out var found))
        {
            (rank, merged) = (0, 0);
            return false;
        }

        (rank, merged) = found;
        return true;
    }

    private static Dictionary<long, (int Rank, int Merged)> Index(IReadOnlyList<(int Left, int Right, int Merged)> merges)
    {
        var byPair = new Dictionary<long, (int, int)>(merges.Count);
        for (int rank = 0; rank < merges.Count; rank++)
        {
            byPair[Key(merges[rank].Left, merges[rank].Right)] = (rank, merges[rank].Merged);
        }

        return byPair;
    }

    private static long Key(int left, int right) => ((long)left << 32) | (uint)right;

    /// <summary>The word as a doubly linked list, and the merges on offer.</summary>
    private sealed class Workspace
    {
        public int[] Ids = [], Previous = [], Next = [];

        public PriorityQueue<int, long> Queue { get; } = new();

        public void Start(ReadOnlySpan<int> word)
        {
            if (Ids.Length < word.Length)
            {
                int size = Math.Max(word.Length, Math.Min(2 * Ids.Length, Array.MaxLength));
                (Ids, Previous, Next) = (new int[size], new int[size], new int[size]);
            }

            word.CopyTo(Ids);
            for (int i = 0; i < word.Length; i++)
            {
                (Previous[i], Next[i]) = (i - 1, i + 1 < word.Length ? i + 1 : -1);
            }

            Queue.Clear();
        }

        public void RemoveAfter(int left)
        {
            int removed = Next[left];
            Ids[removed] = -1;
            Next[left] = Next[removed];
            if (Next[left] >= 0)
            {
                Previous[Next[left]] = left;
            }
        }
    }
}
