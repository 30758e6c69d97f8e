namespace Espalier.Configuration;

/// <summary>All that is wrong with a config file, so that the user mends it in one go.</summary>
internal sealed class ConfigProblems
{
    private readonly List<(Place Place, string Key, string Message)> _problems = [];

    public int Count => _problems.Count;

    /// <summary>Notes a problem.</summary>
    /// <param name="place">Where it was written.</param>
    /// <param name="key">The dotted key.</param>
    /// <param name="what">What is wrong, continuing "KEY ...".</param>
    /// <param name="remedy">What to do about it.</param>
    public void Add(Place place, string key, string what, string remedy) =>
        _problems.Add((place, key, $"{place}: {key}: {what} — {remedy}"));

    /// <summary>
    /// Whether nothing is wrong with any of these keys or the sections they stand in: only then do checks between
    /// keys make sense.
    /// </summary>
    public bool AreClean(params ReadOnlySpan<string> keys)
    {
        foreach (string key in keys)
        {
            if (_problems.Exists(p => p.Key == key || key.StartsWith(p.Key + ".", StringComparison.Ordinal)))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Throws one error that lists all problems in the order of the file, then of the command line.</summary>
    public void ThrowIfAny()
    {
        if (_problems.Count > 0)
        {
            // OrderBy is stable: problems of one line stay in the order they were found.
            throw new UserErrorException(string.Join('\n', _problems
                .OrderBy(p => p.Place == Place.CommandLine)
                .ThenBy(p => p.Place.Line)
                .Select(p => p.Message)));
        }
    }
}
