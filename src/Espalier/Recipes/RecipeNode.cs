using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Espalier.Recipes;

/// <summary>Where a part of a recipe was written: a line of a file, or the command line.</summary>
/// <param name="Source">The file as the user named it.</param>
/// <param name="Line">From 1; 0 for the source as a whole.</param>
internal readonly record struct Place(string Source, int Line)
{
    public static readonly Place CommandLine = new("command line", 0);

    public override string ToString() => Line > 0 ? $"{Source}:{Line}" : Source;
}

/// <summary>
/// A part of a recipe as it was written. YamlDotNet's own representation model throws at the first duplicate key;
/// this one is composed from the same parser's events and reports all of them.
/// </summary>
internal abstract record RecipeNode(Place Place)
{
    // Deeper than any recipe, and shallow enough for the stack.
    private const int MaximumDepth = 32;

    /// <summary>Composes one document; what is wrong with it goes to <paramref name="problems"/>.</summary>
    /// <returns>Its root, or null where there is none, or none that can be read.</returns>
    public static RecipeNode? Parse(string text, Func<int, Place> place, string key, RecipeProblems problems)
    {
        var parser = new Parser(new StringReader(text));
        try
        {
            parser.Consume<StreamStart>();
            if (!parser.TryConsume<DocumentStart>(out _))
            {
                return null;
            }

            RecipeNode root = Compose(parser, place, problems, "", []);
            parser.Consume<DocumentEnd>();
            if (parser.TryConsume<DocumentStart>(out var second))
            {
                problems.Add(place((int)second.Start.Line), key, "a second document begins", "keep one `---` at most");
            }

            return root;
        }
        catch (Exception e) when (e is YamlException or InvalidOperationException or ArgumentException)
        {
            // YamlDotNet says some syntax errors, such as a tag that is none, by plainer exceptions, which know no place.
            (long line, string why) = e is YamlException yaml
                ? (yaml.Start.Line, $"cannot be read as YAML: {yaml.Message}")
                : (parser.Current?.End.Line ?? 1, "cannot be read as YAML");
            problems.Add(place((int)line), key, why.ReplaceLineEndings(" "), "check indentation, colons and brackets there");
            return null;
        }
    }

    private static RecipeNode Compose(
        Parser parser,
        Func<int, Place> place,
        RecipeProblems problems,
        string path,
        Dictionary<AnchorName, RecipeNode> anchors,
        int depth = 0)
    {
        if (parser.TryConsume<AnchorAlias>(out var alias))
        {
            return anchors.TryGetValue(alias.Value, out RecipeNode? target)
                ? target
                : throw new YamlException(alias.Start, alias.End, $"the alias `*{alias.Value}` has no anchor before it");
        }

        ParsingEvent start = parser.Current!;
        if (depth > MaximumDepth)
        {
            throw new YamlException(start.Start, start.End, "it is nested too deeply");
        }

        AnchorName anchor = start is NodeEvent node ? node.Anchor : AnchorName.Empty;
        Place here = place((int)start.Start.Line);
        RecipeNode composed;
        if (parser.TryConsume<Scalar>(out var scalar))
        {
            composed = new ScalarNode(here, scalar.Value, scalar.Style == ScalarStyle.Plain);
        }
        else if (parser.TryConsume<SequenceStart>(out _))
        {
            var items = new List<RecipeNode>();
            while (!parser.TryConsume<SequenceEnd>(out _))
            {
                items.Add(Compose(parser, place, problems, path, anchors, depth + 1));
            }

            composed = new ListNode(here, items);
        }
        else
        {
            parser.Consume<MappingStart>();
            var entries = new List<MapEntry>();
            while (!parser.TryConsume<MappingEnd>(out _))
            {
                RecipeNode key = Compose(parser, place, problems, path, anchors, depth + 1);
                string dotted = path + (key as ScalarNode)?.Text;
                RecipeNode value = Compose(parser, place, problems, dotted + ".", anchors, depth + 1);
                if (key is not ScalarNode { Text: var name })
                {
                    problems.Add(key.Place, path.Length > 0 ? path.TrimEnd('.') : "recipe", "a list or a section stands where a key belongs", "write `key: value`");
                }
                else if (entries.Find(e => e.Key == name) is MapEntry first)
                {
                    problems.Add(key.Place, dotted, $"is set twice, first at {first.Place}", "keep one of the two");
                }
                else
                {
                    entries.Add(new MapEntry(name, key.Place, value));
                }
            }

            composed = new MapNode(here, entries);
        }

        if (!anchor.IsEmpty)
        {
            anchors[anchor] = composed;
        }

        return composed;
    }
}

/// <summary>One value; a plain one may mean null, a quoted one never does.</summary>
internal sealed record ScalarNode(Place Place, string Text, bool IsPlain) : RecipeNode(Place)
{
    public bool IsNull => IsPlain && Text is ("" or "~" or "null" or "Null" or "NULL");
}

/// <summary>`[a, b]` or a list of dashes.</summary>
internal sealed record ListNode(Place Place, IReadOnlyList<RecipeNode> Items) : RecipeNode(Place);

/// <summary>A section: keys and their values.</summary>
internal sealed record MapNode(Place Place, List<MapEntry> Entries) : RecipeNode(Place);

/// <summary>One `key: value` of a section, at the key's place.</summary>
internal sealed record MapEntry(string Key, Place Place, RecipeNode Value);
