using Espalier.Configuration;

namespace Espalier.Growth;

/// <summary>Lists of operators' names in recipes: the key `operators`.</summary>
internal static class OperatorNames
{
    /// <summary>The operators, in the order of their names; names that there are not are left out.</summary>
    public static IEnumerable<OperatorEntry> Entries(string[] names) => names
        .Select(name => GrowthOperators.All.FirstOrDefault(entry => entry.Name == name)).OfType<OperatorEntry>();

    /// <summary>What is wrong with the names.</summary>
    /// <param name="names">The names.</param>
    /// <param name="least">How many there must be.</param>
    public static IEnumerable<ConfigProblem> Check(string[] names, int least)
    {
        const string Key = "operators";
        if (names.Length < least)
        {
            yield return new ConfigProblem(
                Key, $"names {names.Length}", $"name {least} or more of those that espalier grow --list shows");
        }

        foreach (string name in names)
        {
            UserErrorException? unknown = null;
            try
            {
                _ = GrowthOperators.Of(name);
            }
            catch (UserErrorException exception)
            {
                unknown = exception;
            }

            if (unknown is not null)
            {
                yield return new ConfigProblem(Key, unknown.Message.TrimEnd('.'), unknown.Hint!);
            }
        }
    }
}
