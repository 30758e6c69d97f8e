namespace Espalier.Configuration;

/// <summary>Guesses which name a misspelt one was meant to be.</summary>
public static class NearestName
{
    // Beyond any name that there is: of what is longer, the beginning is compared, for the work grows with the length.
    private const int Longest = 64;

    /// <summary>The candidate of least edit distance, the first of equals.</summary>
    public static string Of(string name, IEnumerable<string> candidates) =>
        candidates.MinBy(candidate => Distance(name, candidate))!;

    /// <summary>Whether one may be a slip of the pen for the other: a third of the letters wrong at most.</summary>
    public static bool IsClose(string name, string candidate) =>
        Distance(name, candidate) <= Math.Max(1, candidate.Length / 3);

    /// <summary>Insertions, deletions, replacements and swaps of neighbours that make one of the other.</summary>
    internal static int Distance(string a, string b)
    {
        (a, b) = (a[..Math.Min(a.Length, Longest)], b[..Math.Min(b.Length, Longest)]);
        var distance = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            for (int j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    distance[i, j] = i + j;
                    continue;
                }

                int replaced = distance[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                int least = Math.Min(replaced, 1 + Math.Min(distance[i - 1, j], distance[i, j - 1]));
                bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                distance[i, j] = swapped ? Math.Min(least, distance[i - 2, j - 2] + 1) : least;
            }
        }

        return distance[a.Length, b.Length];
    }
}
