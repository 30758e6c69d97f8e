using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;

namespace Espalier.Configuration;

/// <summary>Values of config files between their YAML and their C# form.</summary>
internal static partial class ConfigValue
{
    /// <summary>Reads a value of a config property's type.</summary>
    /// <param name="type">The type.</param>
    /// <param name="node">The value as it was written.</param>
    /// <param name="orElse">What else is allowed in place of an enum's member, continuing "is not one of a, b".</param>
    /// <exception cref="BadValueException">It is of another kind, or unusable.</exception>
    public static object? Read(Type type, ConfigNode node, string orElse = "")
    {
        Type? underlying = Nullable.GetUnderlyingType(type);
        if (node is ScalarNode { IsNull: true })
        {
            return underlying is not null ? null
                : type.IsArray ? Array.CreateInstance(type.GetElementType()!, 0)
                : throw new BadValueException("has no value", Expected(type));
        }

        type = underlying ?? type;
        if (type.IsArray)
        {
            return ReadList(type.GetElementType()!, node, Expected(type));
        }

        if (HasOwnForm(type))
        {
            return node is MapNode != OfType<Func<bool>>(type, nameof(HasKeysOfItsOwn))()
                ? throw new BadValueException($"is {Describe(node)}", Expected(type))
                : OfType<Func<ConfigText, object>>(type, nameof(ReadOwn))(new ConfigText(node, Expected(type)));
        }

        string text = Text(node, Expected(type));
        return type.IsEnum ? ReadEnum(type, text, orElse)
            : type == typeof(string) ? (text.Length > 0 ? text : throw new BadValueException("is empty", "give it a value"))
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
            ?? throw NotOneOf(text, members.Select(ConfigKeys.Kebab), orElse);
    }

    /// <summary>What is wrong with a text that should be one of some names.</summary>
    public static BadValueException NotOneOf(string text, IEnumerable<string> names, string orElse = "") =>
        new($"`{text}` is not one of {string.Join(", ", names)}{orElse}", $"did you mean `{NearestName.Of(text, names)}`?");

    private static bool HasOwnForm(Type type) => Array.Exists(
        type.GetInterfaces(), i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IConfigValue<>));

    private static object ReadOwn<T>(ConfigText text) where T : IConfigValue<T> => T.Parse(text);

    private static bool HasKeysOfItsOwn<T>() where T : IConfigValue<T> => T.HasKeys;

    private static string ExpectedOwn<T>() where T : IConfigValue<T> => T.Expected;

    /// <summary>One of the two methods above for a type that is known at run time only.</summary>
    private static TDelegate OfType<TDelegate>(Type type, string method) where TDelegate : Delegate =>
        typeof(ConfigValue).GetMethod(method, BindingFlags.Static | BindingFlags.NonPublic)!
            .MakeGenericMethod(type).CreateDelegate<TDelegate>();

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

    /// <summary>One piece of text.</summary>
    /// <exception cref="BadValueException">It is a list or a section.</exception>
    public static string Text(ConfigNode node, string expected) =>
        node is ScalarNode { Text: var text } ? text : throw new BadValueException($"is {Describe(node)}", expected);

    private static BadValueException Wrong(Type type, string text) =>
        new($"`{text}` is of the wrong type", Expected(type));

    private static string Describe(ConfigNode node) => node switch
    {
        ScalarNode scalar => $"`{scalar.Text}`",
        ListNode => "a list",
        _ => "a section with keys of its own",
    };

    internal static string Expected(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type switch
        {
            _ when type.IsEnum => $"write one of {string.Join(", ", Enum.GetValues(type).Cast<object>().Select(ConfigKeys.Kebab))}",
            _ when type == typeof(int[]) => "write a list of whole numbers, such as [1, 3, 6, 12]",
            _ when type == typeof(Duration[]) => "write a list of durations, such as [5 %, 10 %, 2000 steps]",
            _ when type.IsArray => "write a list, such as [a, b]",
            _ when HasOwnForm(type) => OfType<Func<string>>(type, nameof(ExpectedOwn))(),
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
