namespace Espalier.Recipes;

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
        return
        [
            .. RecipeKeys.Flatten(here.Resolve()).Zip(RecipeKeys.Flatten(there.Resolve()))
                .Select(pair => (pair.First.Key, Here: RecipeValue.Format(pair.First.Value), There: RecipeValue.Format(pair.Second.Value)))
                .Where(d => d.Here != d.There)
                .Select(d => $"{d.Key}: {d.Here} {whereHere}, {d.There} {whereThere}"),
        ];
    }
}
