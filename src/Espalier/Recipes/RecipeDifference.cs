namespace Espalier.Recipes;

/// <summary>Compares recipes value by value.</summary>
public static class RecipeDifference
{
    /// <summary>
    /// The keys in which two recipes differ, with both values: `training.micro_batch: 8 here, 16 there`. Empty when
    /// the recipes mean the same.
    /// </summary>
    public static IReadOnlyList<string> Describe(Recipe here, Recipe there)
    {
        ArgumentNullException.ThrowIfNull(here);
        ArgumentNullException.ThrowIfNull(there);
        return
        [
            .. RecipeKeys.Flatten(here.Resolve()).Zip(RecipeKeys.Flatten(there.Resolve()))
                .Select(pair => (pair.First.Key, Here: RecipeValue.Format(pair.First.Value), There: RecipeValue.Format(pair.Second.Value)))
                .Where(d => d.Here != d.There)
                .Select(d => $"{d.Key}: {d.Here} here, {d.There} there"),
        ];
    }
}
