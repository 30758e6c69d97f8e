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
        Dictionary<string, string> first = Values(here), second = Values(there);
        return
        [
            .. first.Keys.Union(second.Keys)
                .Select(key => (Key: key, Here: Of(first, key), There: Of(second, key)))
                .Where(d => d.Here != d.There)
                .Select(d => $"{d.Key}: {d.Here} {whereHere}, {d.There} {whereThere}"),
        ];
    }

    /// <summary>Every key of a resolved recipe, in order, with its value as it is written.</summary>
    internal static Dictionary<string, string> Values(Recipe recipe) =>
        ConfigKeys.Flatten(recipe.Resolve()).ToDictionary(leaf => leaf.Key, leaf => ConfigValue.Format(leaf.Value));

    /// <summary>The value of a key; another kind of model has other keys.</summary>
    internal static string Of(Dictionary<string, string> values, string key) => values.GetValueOrDefault(key, "absent");
}
