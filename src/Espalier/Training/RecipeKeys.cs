using Espalier.Configuration;

namespace Espalier.Training;

/// <summary>The keys that recipes may have, explained.</summary>
public static class RecipeKeys
{
    /// <summary>All of them, in the order in which recipes are written.</summary>
    public static IReadOnlyList<KeyHelp> All { get; } = [.. KeyHelp.Of(typeof(Recipe))];

    /// <summary>A key, or those of a section.</summary>
    /// <param name="name">Its name, with dots: training, or training.length.</param>
    /// <exception cref="UserErrorException">There is none of the name.</exception>
    public static IReadOnlyList<KeyHelp> Of(string name)
    {
        KeyHelp[] found = [.. All.Where(key => key.Key == name || key.Key.StartsWith($"{name}.", StringComparison.Ordinal))];
        return found.Length > 0 ? found : throw new UserErrorException(
            $"No recipe has a key '{name}'.",
            $"Did you mean `{NearestName.Of(name, All.SelectMany(key => new[] { key.Key, key.Key.Split('.')[0] }).Distinct())}`?");
    }
}
