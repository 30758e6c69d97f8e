using Espalier.Configuration;

namespace Espalier.Training;

/// <summary>Reads recipes: YAML, then `key=value` overrides, then checks; all that is wrong is reported at once.</summary>
public static class RecipeReader
{
    private const string Noun = "recipe";

    /// <summary>Reads a recipe file. Its method's defaults are filled in, and its name if it has none.</summary>
    /// <param name="path">The YAML file.</param>
    /// <param name="overrides">`training.micro_batch=8` and the like; values are YAML; they come before the file's.</param>
    /// <exception cref="UserErrorException">
    /// The file cannot be read, or the recipe is not right: one line for each problem, `file:line: key: what — remedy`.
    /// </exception>
    public static Recipe Read(string path, IEnumerable<string>? overrides = null) =>
        Parse(ConfigFile.ReadText(path, Noun, "The ready ones are in recipes/."), path, overrides);

    /// <summary>Reads a recipe from text.</summary>
    /// <param name="yaml">The text.</param>
    /// <param name="file">What to call it in messages; the recipe's name by default, less its folder and extension.</param>
    /// <param name="overrides">As for <see cref="Read"/>.</param>
    /// <exception cref="UserErrorException">As for <see cref="Read"/>.</exception>
    public static Recipe Parse(string yaml, string file, IEnumerable<string>? overrides = null)
    {
        Recipe recipe = ConfigFile.Parse<Recipe>(yaml, file, Noun, "recipes/tiny.yaml", overrides, RecipeChecks.Check);
        return recipe.Resolve() with
        {
            Name = recipe.Name.Length > 0 ? recipe.Name : Path.GetFileNameWithoutExtension(file),
        };
    }
}
