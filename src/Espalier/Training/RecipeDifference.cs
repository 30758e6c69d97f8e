using Espalier.Configuration;

namespace Espalier.Training;

/// <summary>Compares recipes value by value.</summary>
public static class RecipeDifference
{
    /// <summary>
    /// The keys in which two recipes differ, with both values: `training.micro_batch: 8 here, 16 there`. Empty when
    /// the recipes mean the same.
    /// </summary>
    /// <param name="here">A recipe.</param>
    /// <param name="there">Another.</param>
    /// <param name="whereHere">What to say after the first's value.</param>
    /// <param name="whereThere">What to say after the other's.</param>
    public static IReadOnlyList<string> Describe(
        Recipe here, Recipe there, string whereHere = "here", string whereThere = "there")
    {
        ArgumentNullException.ThrowIfNull(here);
        ArgumentNullException.ThrowIfNull(there);
        List<(string Key, string Value)> first = Values(here), second = Values(there);
        return
        [
            .. first.Select(value => value.Key).Union(second.Select(value => value.Key))
                .Select(key => (Key: key, Here: Of(first, key), There: Of(second, key)))
                .Where(d => d.Here != d.There)
                .Select(d => $"{d.Key}: {d.Here} {whereHere}, {d.There} {whereThere}"),
        ];

        static List<(string Key, string Value)> Values(Recipe recipe) =>
            [.. ConfigKeys.Flatten(recipe.Resolve()).Select(leaf => (leaf.Key, ConfigValue.Format(leaf.Value)))];

        // Another kind of model has other keys.
        static string Of(List<(string Key, string Value)> values, string key) =>
            values.Find(value => value.Key == key).Value ?? "absent";
    }
}
