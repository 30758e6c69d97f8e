namespace Espalier.Recipes;

/// <summary>Reads recipes: YAML, then `key=value` overrides, then checks; all that is wrong is reported at once.</summary>
public static class RecipeReader
{
    /// <summary>Reads a recipe file. Its method's defaults are filled in, and its name if it has none.</summary>
    /// <param name="path">The YAML file.</param>
    /// <param name="overrides">`training.micro_batch=8` and the like; values are YAML; they come before the file's.</param>
    /// <exception cref="UserErrorException">
    /// The file cannot be read, or the recipe is not right: one line for each problem, `file:line: key: what — remedy`.
    /// </exception>
    public static Recipe Read(string path, IEnumerable<string>? overrides = null)
    {
        string text;
        try
        {
            text = File.ReadAllText(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new UserErrorException($"There is no recipe `{path}`.", "The ready ones are in recipes/.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            string what = Directory.Exists(path) ? "it is a folder" : e.Message;
            throw new UserErrorException($"The recipe `{path}` cannot be read: {what}", "Give a readable YAML file.", e);
        }

        return Parse(text, path, overrides);
    }

    /// <summary>Reads a recipe from text.</summary>
    /// <param name="yaml">The text.</param>
    /// <param name="file">What to call it in messages; the recipe's name by default, less its folder and extension.</param>
    /// <param name="overrides">As for <see cref="Read"/>.</param>
    /// <exception cref="UserErrorException">As for <see cref="Read"/>.</exception>
    public static Recipe Parse(string yaml, string file, IEnumerable<string>? overrides = null)
    {
        var problems = new RecipeProblems();
        RecipeNode? root = RecipeNode.Parse(yaml, line => new Place(file, line), "recipe", problems);
        if (root is not MapNode map)
        {
            if (problems.AreClean("recipe"))
            {
                bool isEmpty = root is null or ScalarNode { IsNull: true };
                problems.Add(
                    new Place(file, root?.Place.Line ?? 0), "recipe", isEmpty ? "is empty" : "is not a list of keys",
                    "write `key: value` lines; recipes/tiny.yaml is an example");
            }

            problems.ThrowIfAny();
            throw new InvalidOperationException("A recipe without a root has a problem.");
        }

        foreach (string setting in overrides ?? [])
        {
            RecipeOverride.Apply(setting, map, problems);
        }

        var binder = new RecordBinder(problems);
        var recipe = (Recipe)binder.Bind(typeof(Recipe), map, new Place(file, 0));
        RecipeChecks.Check(recipe, binder, problems);
        problems.ThrowIfAny();
        return recipe.Resolve() with
        {
            Name = recipe.Name.Length > 0 ? recipe.Name : Path.GetFileNameWithoutExtension(file),
        };
    }
}
