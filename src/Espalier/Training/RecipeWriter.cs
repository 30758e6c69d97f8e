using System.Text;
using Espalier.Configuration;

namespace Espalier.Training;

/// <summary>Writes resolved recipes: every key with its value, so that no later default can change what a run was.</summary>
public static class RecipeWriter
{
    /// <summary>The first line of every recipe that was written, and of none that a person wrote.</summary>
    internal const string FirstLine = "# The resolved recipe: every key, with defaults filled in.";

    /// <summary>The recipe as YAML, which <see cref="RecipeReader"/> reads back to an equal one.</summary>
    public static string Write(Recipe recipe)
    {
        ArgumentNullException.ThrowIfNull(recipe);
        var yaml = new StringBuilder(FirstLine + "\n");
        Write(recipe.Resolve(), "", yaml);
        return yaml.ToString();
    }

    private static void Write(object config, string indent, StringBuilder yaml)
    {
        foreach (ConfigKey key in ConfigKeys.Of(config.GetType()))
        {
            object? value = key.Property.GetValue(config);
            yaml.Append(indent).Append(key.Name).Append(':');
            if (key.IsSection)
            {
                yaml.Append('\n');
                Write(value!, indent + "  ", yaml);
            }
            else
            {
                yaml.Append(' ').Append(ConfigValue.Format(value)).Append('\n');
            }
        }
    }
}
