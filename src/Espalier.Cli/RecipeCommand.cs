using System.CommandLine;
using Espalier.Configuration;
using Espalier.Training;

namespace Espalier.Cli;

/// <summary><c>espalier recipe</c>.</summary>
internal static class RecipeCommand
{
    public static Verb Create()
    {
        var recipe = new Argument<string?>("RECIPE")
        {
            Description = "A YAML file; with --keys a key or a section, such as training or method.name.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var overrides = new Argument<string[]>("KEY=VALUE") { Description = "Replaces values of the recipe.", Arity = ArgumentArity.ZeroOrMore };
        var keys = new Option<bool>("--keys") { Description = "Explains every key that a recipe may have." };
        var json = new Option<bool>("--json") { Description = "Prints the keys as JSON, for programs." };
        var command = new Verb("recipe", "Shows a recipe as it is understood, with every default written out; or explains the keys of recipes.")
        {
            recipe, overrides, keys, json,
        };
        command.Examples =
        [
            "espalier recipe --keys",
            "espalier recipe --keys training",
            "espalier recipe recipes/tiny.yaml training.length='1e6 tokens'",
        ];
        command.SetAction(parsed =>
        {
            string? named = parsed.GetValue(recipe);
            string[] replaced = parsed.GetValue(overrides) ?? [];
            if (!parsed.GetValue(keys))
            {
                string file = named ?? throw new UserErrorException("Name a recipe, or ask for --keys.");
                Console.Out.Write(RecipeWriter.Write(RecipeReader.Read(file, replaced).Resolve()));
                return 0;
            }

            if (replaced.Length > 0)
            {
                throw new UserErrorException($"--keys explains keys: there is no place for '{replaced[0]}' beside it.");
            }

            IReadOnlyList<KeyHelp> asked = named is null ? RecipeKeys.All : RecipeKeys.Of(named);
            if (parsed.GetValue(json))
            {
                JsonOutput.Print(asked);
                return 0;
            }

            foreach (KeyHelp key in asked)
            {
                Console.Out.WriteLine($"{key.Key}{(key.Variants.Count == 0 ? "" : $" (of {string.Join(", ", key.Variants)})")}: {key.Takes}{(key.IsRequired ? "; required" : "")}");
                if (key.Says.Length > 0)
                {
                    Console.Out.WriteLine($"    {key.Says}");
                }
            }

            return 0;
        });
        return command;
    }
}
