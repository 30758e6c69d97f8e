namespace Espalier.Configuration;

/// <summary>All that is wrong with a config file, so that the user mends it in one go.</summary>
internal sealed class ConfigProblems
{
    private readonly List<(Place Place, string Key, string Message)> _problems = [];
    private readonly HashSet<string> _standIns = [];

    public int Count => _problems.Count;

    /// <summary>Notes a problem.</summary>
    /// <param name="place">Where it was written.</param>
    /// <param name="key">The dotted key.</param>
    /// <param name="what">What is wrong, continuing "KEY ...".</param>
    /// <param name="remedy">What to do about it.</param>
    public void Add(Place place, string key, string what, string remedy) =>
        _problems.Add((place, key, $"{place}: {key}: {what} — {remedy}"));

    /// <summary>Notes that a section's record only stands in for one that a problem hides: no key of it is clean.</summary>
    public void AddStandIn(string section) => _standIns.Add(section);

    /// <summary>
    /// Whether nothing is wrong with any of these keys or the sections they stand in: only then do checks between
    /// keys make sense.
    /// </summary>
    public bool AreClean(params ReadOnlySpan<string> keys)
    {
        foreach (string key in keys)
        {
            if (_problems.Select(p => p.Key).Concat(_standIns).Any(k => IsWithin(key, k)))
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsWithin(string key, string section) =>
        section.Length == 0 || key == section || key.StartsWith(section + ".", StringComparison.Ordinal);

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
