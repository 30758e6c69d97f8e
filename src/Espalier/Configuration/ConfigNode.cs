using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Espalier.Configuration;

/// <summary>
/// A part of a config file as it was written. YamlDotNet's own representation model throws at the first duplicate key;
/// this one is composed from the same parser's events and reports all of them.
/// </summary>
internal abstract record ConfigNode(Place Place)
{
    /// <summary>Nodes that this one comes to, itself among them.</summary>
    private long Size { get; set; } = 1;

    // Deeper than any config file, and shallow enough for the stack.
    private const int MaximumDepth = 32;

    // More than any section has: to guess what 200,000 unknown keys were meant to be would take hours.
    private const int MaximumKeys = 1000;

    // Nodes of the whole, those that stand for an alias among them: a short file of aliases of aliases stands for any number.
    private const long MaximumSize = 1_000_000;

    /// <summary>Composes one document; what is wrong with it goes to <paramref name="problems"/>.</summary>
    /// <param name="text">The document.</param>
    /// <param name="place">Where a line of it stands.</param>
    /// <param name="key">What the root is called in messages.</param>
    /// <param name="problems">Where they go.</param>
    /// <returns>Its root, or null where there is none, or none that can be read.</returns>
    public static ConfigNode? Parse(string text, Func<int, Place> place, string key, ConfigProblems problems)
    {
        var parser = new Parser(new StringReader(text));
        try
        {
            parser.Consume<StreamStart>();
            if (!parser.TryConsume<DocumentStart>(out _))
            {
                return null;
            }

            ConfigNode root = Compose(parser, place, problems, key, "", []);
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

    private static ConfigNode Compose(
        Parser parser,
        Func<int, Place> place,
        ConfigProblems problems,
        string root,
        string path,
        Dictionary<AnchorName, ConfigNode> anchors,
        int depth = 0)
    {
        if (parser.TryConsume<AnchorAlias>(out var alias))
        {
            return anchors.TryGetValue(alias.Value, out ConfigNode? target)
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
        ConfigNode composed;
        if (parser.TryConsume<Scalar>(out var scalar))
        {
            composed = new ScalarNode(here, scalar.Value, scalar.Style == ScalarStyle.Plain);
        }
        else if (parser.TryConsume<SequenceStart>(out _))
        {
            var items = new List<ConfigNode>();
            while (!parser.TryConsume<SequenceEnd>(out _))
            {
                items.Add(Compose(parser, place, problems, root, path, anchors, depth + 1));
            }

            composed = new ListNode(here, items) { Size = 1 + items.Sum(item => item.Size) };
        }
        else
        {
            parser.Consume<MappingStart>();
            var entries = new List<MapEntry>();
            while (!parser.TryConsume<MappingEnd>(out _))
            {
                if (entries.Count == MaximumKeys)
                {
                    throw new YamlException(start.Start, start.End, $"a section has more than {MaximumKeys} keys");
                }

                ConfigNode key = Compose(parser, place, problems, root, path, anchors, depth + 1);
                string dotted = path + (key as ScalarNode)?.Text;
                ConfigNode value = Compose(parser, place, problems, root, dotted + ".", anchors, depth + 1);
                if (key is not ScalarNode { Text: var name })
                {
                    problems.Add(key.Place, path.Length > 0 ? path.TrimEnd('.') : root, "a list or a section stands where a key belongs", "write `key: value`");
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

            composed = new MapNode(here, entries) { Size = 1 + entries.Sum(entry => entry.Value.Size) };
        }

        if (composed.Size > MaximumSize)
        {
            throw new YamlException(start.Start, start.End, $"it comes to more than {MaximumSize} values");
        }

        if (!anchor.IsEmpty)
        {
            anchors[anchor] = composed;
        }

        return composed;
    }
}
