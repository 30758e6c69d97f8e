using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Espalier.Growth;

namespace Espalier.Configuration;

/// <summary>Values of config files between their YAML and their C# form.</summary>
internal static partial class ConfigValue
{
    /// <summary>Reads a value of a config property's type.</summary>
    /// <exception cref="BadValueException">It is of another kind, or unusable.</exception>
    public static object? Read(Type type, ConfigNode node)
    {
        Type? underlying = Nullable.GetUnderlyingType(type);
        if (node is ScalarNode { IsNull: true })
        {
            return underlying is not null || type == typeof(LayerMapChoice) ? null
                : type.IsArray ? Array.CreateInstance(type.GetElementType()!, 0)
                : throw new BadValueException("has no value", Expected(type));
        }

        type = underlying ?? type;
        if (type.IsArray)
        {
            return ReadList(type.GetElementType()!, node, Expected(type));
        }

        if (type == typeof(LayerMapChoice))
        {
            return node is ListNode
                ? LayerMapChoice.Of((int[])ReadList(typeof(int), node, Expected(type)))
                : LayerMapChoice.Of((LayerMapKind)ReadEnum(typeof(LayerMapKind), Text(type, node), " or a list of layers"));
        }

        string text = Text(type, node);
        return type.IsEnum ? ReadEnum(type, text, "")
            : type == typeof(string) ? (text.Length > 0 ? text : throw new BadValueException("is empty", "give it a value"))
            : type == typeof(Duration) ? ReadDuration(text)
            : type == typeof(bool) ? text switch
            {
                "true" => true,
                "false" => false,
                _ => throw Wrong(type, text),
            }
            : type == typeof(double) ? ReadDouble(text)
            : type == typeof(ulong) ? (ulong)ReadWhole(type, text, ulong.MaxValue)
            : type == typeof(long) ? (long)ReadWhole(type, text, long.MaxValue)
            : type == typeof(int) ? (object)(int)ReadWhole(type, text, int.MaxValue)
            : throw new InvalidOperationException($"No config values of type {type}.");
    }

    /// <summary>The YAML form, which <see cref="Read"/> reads back to an equal value.</summary>
    public static string Format(object? value) => value switch
    {
        null => "null",
        string text => PlainText().IsMatch(text) && !new ScalarNode(default, text, IsPlain: true).IsNull ? text : Quote(text),
        bool flag => flag ? "true" : "false",
        double number => number.ToString("R", CultureInfo.InvariantCulture).Replace('E', 'e'),
        Array list => $"[{string.Join(", ", list.Cast<object>().Select(Format))}]",
        Enum member => ConfigKeys.Kebab(member),
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString()!,
    };

    private static Array ReadList(Type element, ConfigNode node, string expected)
    {
        if (node is not ListNode { Items: var items })
        {
            throw new BadValueException($"is {Describe(node)}", expected);
        }

        Array list = Array.CreateInstance(element, items.Count);
        for (int i = 0; i < items.Count; i++)
        {
            list.SetValue(Read(element, items[i]), i);
        }

        return list;
    }

    private static object ReadEnum(Type type, string text, string orElse)
    {
        object[] members = [.. Enum.GetValues(type).Cast<object>()];
        return Array.Find(members, m => ConfigKeys.Kebab(m) == text)
            ?? throw new BadValueException(
                $"`{text}` is not one of {string.Join(", ", members.Select(ConfigKeys.Kebab))}{orElse}",
                $"did you mean `{NearestName.Of(text, members.Select(ConfigKeys.Kebab))}`?");
    }

    private static Duration ReadDuration(string text) =>
        Duration.TryParse(text, out Duration duration, out string? problem)
            ? duration
            : throw new BadValueException($"`{text}` is not a duration: {problem}", Expected(typeof(Duration)));

    private static double ReadDouble(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number)
            ? number
            : throw Wrong(typeof(double), text);

    /// <summary>A whole number, which may be written `1e6`.</summary>
    private static decimal ReadWhole(Type type, string text, decimal most)
    {
        if (!decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out decimal number)
            || number != decimal.Floor(number))
        {
            throw Wrong(type, text);
        }

        decimal least = most == ulong.MaxValue ? 0 : -most;
        return number >= least && number <= most
            ? number
            : throw new BadValueException($"is {text}", $"it must be between {least} and {most}");
    }

    private static string Text(Type type, ConfigNode node) =>
        node is ScalarNode { Text: var text } ? text : throw new BadValueException($"is {Describe(node)}", Expected(type));

    private static BadValueException Wrong(Type type, string text) =>
        new($"`{text}` is of the wrong type", Expected(type));

    private static string Describe(ConfigNode node) => node switch
    {
        ScalarNode scalar => $"`{scalar.Text}`",
        ListNode => "a list",
        _ => "a section with keys of its own",
    };

    private static string Expected(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type switch
        {
            _ when type.IsEnum => $"write one of {string.Join(", ", Enum.GetValues(type).Cast<object>().Select(ConfigKeys.Kebab))}",
            _ when type == typeof(int[]) => "write a list of whole numbers, such as [1, 3, 6, 12]",
            _ when type == typeof(Duration[]) => "write a list of durations, such as [5 %, 10 %, 2000 steps]",
            _ when type.IsArray => "write a list, such as [a, b]",
            _ when type == typeof(LayerMapChoice) => "write interpolate, stack, or a list of stored layers",
            _ when type == typeof(Duration) => "write a number and its unit: `2000 steps`, `5 %` or `1.5e9 tokens`",
            _ when type == typeof(bool) => "write true or false",
            _ when type == typeof(double) => "write a number, such as 0.1 or 1e-4",
            _ when type == typeof(string) => "write one piece of text",
            _ => "write a whole number",
        };
    }

    private static string Quote(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (char c in text)
        {
            // What YAML does not count as printable, and its line breaks, are escaped; the rest stands as it is.
            _ = c is '"' or '\\' ? quoted.Append('\\').Append(c)
                : c < ' ' || c is >= '\x7f' and <= '\xa0' or '\u2028' or '\u2029' or '\ufeff' or '\ufffe' or '\uffff'
                    ? quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}")
                    : quoted.Append(c);
        }

        return quoted.Append('"').ToString();
    }

    [GeneratedRegex(@"^[A-Za-z0-9_./][A-Za-z0-9_./+-]*\z")]
    private static partial Regex PlainText();
}
